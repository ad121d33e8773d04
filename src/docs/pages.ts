/** What the generated pages say of commands, settings and error codes, from the code itself. */
import type { EventEmitter } from 'node:events';
import type { Command, Option } from 'commander';
import { buildProgram } from '../cli.ts';
import type { Setting } from '../lib/config/settings/setting.ts';
import { settings } from '../lib/config/settings/settings.ts';
import { commandCodes, imageCodes, learningCodes, modelCodes } from './error-codes/commands.ts';
import { deadLetterCodes } from './error-codes/dead-letters.ts';
import { httpCodes } from './error-codes/http.ts';
import { databaseCodes, embeddedCodes, storeCodes, topicCodes } from './error-codes/servers.ts';

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
export function textAfter(command: Command): string {
  let text = '';
  // commander writes this text as a listener; its types leave that out.
  const events = command as unknown as EventEmitter;
  events.emit('afterHelp', { error: false, command, write: (more: string) => (text += more) });
  return text.trim();
}

/** By the heading of their group; of each code what it means and what to do. */
export const errorCodes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'Dead letters': deadLetterCodes,
  Commands: commandCodes,
  'Image files': imageCodes,
  'Models and engines': modelCodes,
  'Training and corrections': learningCodes,
  PostgreSQL: databaseCodes,
  'Embedded PostgreSQL': embeddedCodes,
  'Topic and Kafka': topicCodes,
  'Object store': storeCodes,
  HTTP: httpCodes,
};

export function errorTables(): string {
  return Object.entries(errorCodes)
    .map(([heading, codes]) => {
      const rows = Object.entries(codes).map(([code, meaning]) => [`\`${code}\``, meaning]);
      return `## ${heading}\n\n${table(['Code', 'What it means, and what to do'], rows)}`;
    })
    .join('\n\n');
}

const sections = [...new Set(settings.map(({ section }) => section))];

/** `.env.example`: every setting, commented out, with its default or an example. */
export function envExample(): string {
  const lines = [
    '# Settings of visionscale. Copy to .env and fill in what differs; flags and the environment win over .env.',
    '# A setting marked [secret] may also come from a file: NAME_FILE=/run/secrets/name in the environment, not in .env.',
    '# Any librdkafka property: KAFKA_CONF_ and its name with _ for the dots, e.g. KAFKA_CONF_security_protocol=SASL_SSL.',
  ];
  for (const section of sections) {
    lines.push('', `# --- ${section}`);
    for (const setting of settings) {
      if (setting.section !== section) continue;
      const secret = setting.secret ? ' [secret]' : '';
      const otherwise = setting.default ?? setting.otherwise;
      const fallback = otherwise === undefined ? '' : ` Default: ${otherwise}.`;
      lines.push(`# ${setting.description}.${secret}${fallback}`, `#${setting.env}=${setting.example ?? ''}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** A table for each section. */
export function settingsTables(): string {
  return sections.map((section) => `## ${section}\n\n${settingsTable(section)}`).join('\n\n');
}

function settingsTable(section: string): string {
  const rows = settings
    .filter((setting) => setting.section === section)
    .map(({ env, flag, description, secret, default: fallback, otherwise }) => [
      `\`${env}\``,
      flag === undefined ? '' : `\`${flag}\``,
      `${plain(description)}.${secret ? ' _Secret._' : ''}`,
      fallback === undefined ? (otherwise ?? '') : `\`${fallback}\``,
    ]);
  return table(['Setting', 'Flag', 'Meaning', 'Default'], rows);
}

// Markdown that the pages have in common.

/** A table, with what would break a row taken care of. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

/** Placeholders such as <topic> are tags to Markdown. */
function plain(text: string): string {
  return text.replaceAll('<', '\\<');
}

/** The anchor that GitHub gives a heading. */
export function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}
