/** The reference of commands, from the program itself: usage, arguments, options, settings and an example of each. */
import type { EventEmitter } from 'node:events';
import type { Command, Option } from 'commander';
import { buildProgram } from '../cli.ts';
import type { Setting } from '../lib/config/settings/setting.ts';
import { settings } from '../lib/config/settings/settings.ts';
import { anchor, plain, table } from './table.ts';

/** One line a command, for the README. */
export function commandTable(): string {
  const rows = buildProgram().commands.map((command) => [
    `[\`${command.name()}\`](docs/commands.md#${anchor(command.name())})`,
    plain(command.description()),
  ]);
  return table(['Command', 'What it does'], rows);
}

/** Every command; one with parts is followed by them. */
export function commandReference(): string {
  const section = (command: Command, path: string): string[] => [
    [`## ${path}`, ...parts(command, path)].join('\n\n'),
    ...command.commands.flatMap((part) => section(part, `${path} ${part.name()}`)),
  ];
  return buildProgram()
    .commands.flatMap((command) => section(command, command.name()))
    .join('\n\n');
}

function parts(command: Command, path: string): string[] {
  const help = command.createHelp();
  const args = help
    .visibleArguments(command)
    .map((one) => [`\`${help.argumentTerm(one)}\``, plain(help.argumentDescription(one))]);
  const subcommands = command.commands.map((part) => [
    `[\`${path} ${part.name()}\`](#${anchor(`${path} ${part.name()}`)})`,
    plain(part.description()),
  ]);
  const all = help.visibleOptions(command).filter(({ long }) => long !== '--help' && long !== '--json');
  const own = all
    .filter((option) => settingOf(option) === undefined)
    .map((option) => [`\`${help.optionTerm(option)}\``, plain(help.optionDescription(option))]);
  const ofSettings = all.flatMap((option) => {
    const setting = settingOf(option);
    return setting === undefined ? [] : [`[\`${option.flags}\`](settings.md#${anchor(setting.section)})`];
  });
  return [
    `${plain(command.description())}.`,
    `\`\`\`text\nvisionscale ${path} ${command.usage()}\n\`\`\``,
    ...(args.length > 0 ? [table(['Argument', 'Meaning'], args)] : []),
    ...(subcommands.length > 0 ? [table(['Command', 'What it does'], subcommands)] : []),
    ...(own.length > 0 ? [table(['Option', 'Meaning'], own)] : []),
    ...(ofSettings.length > 0 ? [`Settings as options: ${ofSettings.join(', ')}.`] : []),
    `\`\`\`text\n${textAfter(command)}\n\`\`\``,
  ];
}

function settingOf({ long }: Option): Setting | undefined {
  return settings.find(({ flag }) => flag === long);
}

/** What `--help` says below the options: an example, and what is worth knowing. */
function textAfter(command: Command): string {
  let text = '';
  // commander writes this text as a listener; its types leave that out.
  const events = command as unknown as EventEmitter;
  events.emit('afterHelp', { error: false, command, write: (more: string) => (text += more) });
  return text.trim();
}
