/** Manual pages from the commands themselves: one for the program, one for each command with its parts. */
import type { Command } from 'commander';
import { buildProgram } from '../cli.ts';
import { pathOf } from '../commands/shared/help.ts';
import { textAfter } from './pages.ts';

/** By the file's path in the package: package.json lists them, and npm installs them with the program. */
export function manPages(): Record<string, string> {
  const program = buildProgram();
  const all = [program, ...program.commands];
  return Object.fromEntries(all.map((command) => [`man/${pageName(command)}.1`, page(command)]));
}

function pageName(command: Command): string {
  return pathOf(command).replaceAll(' ', '-');
}

function page(command: Command): string {
  const name = pageName(command);
  const isProgram = command.parent === null;
  return lines(
    `.TH "${name.toUpperCase().replaceAll('-', '\\-')}" 1 "" visionscale "User Commands"`,
    '.SH NAME',
    `${escaped(name)} \\- ${escaped(firstLower(command.description().replace(/\.$/, '')))}`,
    ...usage('.SH SYNOPSIS', command),
    ...described('.SH', command),
    ...(isProgram
      ? commandList(command)
      : command.commands.flatMap((part) => [
          `.SH "${pathOf(part).toUpperCase()}"`,
          text(`${part.description()}.`),
          ...usage('.PP', part),
          ...described('.SS', part),
        ])),
    '.SH "EXIT STATUS"',
    text('0: done. 1: something failed, or was left over. 2: wrong usage or settings. 130: interrupted.'),
    '.SH "SEE ALSO"',
    isProgram
      ? text('visionscale COMMAND --help, and the directory docs of the package.')
      : '.BR visionscale (1)',
  );
}

function usage(heading: string, command: Command): string[] {
  return [heading, `.B ${escaped(pathOf(command))}`, text(command.usage())];
}

/** Arguments, options, and what `--help` says below them. */
function described(heading: string, command: Command): string[] {
  const help = command.createHelp();
  const args = help
    .visibleArguments(command)
    .map((one) => entry(help.argumentTerm(one), help.argumentDescription(one)));
  const options = help
    .visibleOptions(command)
    .map((one) => entry(help.optionTerm(one), help.optionDescription(one).replace(' (default: [])', '')));
  const [example = '', ...notes] = textAfter(command)
    .replace(/^Example:\n/, '')
    .split('\n\n');
  return [
    ...(args.length > 0 ? [`${heading} ARGUMENTS`, ...args] : []),
    ...(options.length > 0 ? [`${heading} OPTIONS`, ...options] : []),
    ...(notes.length > 0 ? [`${heading} NOTES`, ...notes.flatMap((note) => ['.PP', text(note)])] : []),
    `${heading} EXAMPLES`,
    '.EX',
    text(example),
    '.EE',
  ];
}

function commandList(program: Command): string[] {
  const entries = program.commands.map((one) => entry(`${pageName(one)}(1)`, one.description()));
  return ['.SH COMMANDS', ...entries];
}

function entry(term: string, description: string): string {
  return lines('.TP', `.B ${escaped(term)}`, text(description)).trimEnd();
}

/** Lines of which none is taken for a request. */
function text(words: string): string {
  return escaped(words).replaceAll(/^(?=[.'])/gm, '\\&');
}

/** A hyphen that is typed is a minus to troff, which knows characters beyond ASCII by number in every locale. */
function escaped(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/[^\n\x20-\x7e]/gu, (one) => {
      const number = one.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
      return `\\[u${number}]`;
    });
}

function firstLower(words: string): string {
  return words.charAt(0).toLowerCase() + words.slice(1);
}

function lines(...all: string[]): string {
  return `${all.filter((line) => line !== '').join('\n')}\n`;
}
