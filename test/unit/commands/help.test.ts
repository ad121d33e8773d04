/** Help of every command: fits the terminal, tells common options apart, and one letter means one thing. */
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { buildProgram } from '../../../src/cli.ts';
import { pathOf } from '../../../src/commands/shared/help.ts';

function all(command: Command): Command[] {
  return [command, ...command.commands.flatMap(all)];
}

/** What it prints: everything commander writes, at a width. */
function help(words: string[], width: number): string {
  let text = '';
  const program = buildProgram();
  for (const command of all(program)) {
    command.configureOutput({ writeOut: (more) => (text += more), getOutHelpWidth: () => width });
  }
  expect(() => program.parse(words, { from: 'user' })).toThrow();
  return text;
}

const commands = all(buildProgram());
const paths = commands.map(pathOf).map((path) => path.split(' ').slice(1));

describe.each([80, 120])('help at %i columns', (width) => {
  it.each(paths.map((path) => [path.join(' ') || 'visionscale', path] as const))('%s', (_, path) => {
    const lines = help([...path, hasCommon(path) ? '--help-all' : '--help'], width).split('\n');
    expect(lines.filter((line) => line.length > width)).toEqual([]);
  });
});

it('lists common options only with --help-all, below the own ones', () => {
  const [short, full] = [help(['status', '--help'], 80), help(['status', '--help-all'], 80)];
  expect(short).toContain('\nCommon options: see visionscale status --help-all\n');
  expect(short).not.toContain('--brokers');
  expect(full).toMatch(/\nOptions:\n[^]* --json [^]*\nCommon options:\n[^]* --brokers /);
});

it('begins every description with a capital', () => {
  const texts = commands.flatMap((command) => [
    command.description(),
    ...command.options.map(({ description }) => description),
    ...command.registeredArguments.map(({ description }) => description),
  ]);
  expect(texts.filter((text) => !/^\p{Lu}/u.test(text))).toEqual([]);
});

it('gives an option the same letter everywhere, and a letter one meaning', () => {
  const letters: Record<string, string> = {
    '--partition': '-p',
    '--limit': '-n',
    '--follow': '-f',
    '--out': '-o',
    '--yes': '-y',
    '--watch': '-w',
    '--version': '-V',
  };
  for (const { long, short } of commands.flatMap(({ options }) => options)) {
    expect([long, short]).toEqual([long, letters[long!]]);
  }
});

function hasCommon(path: string[]): boolean {
  const command = commands.find((one) => pathOf(one) === ['visionscale', ...path].join(' '))!;
  return command.options.some(({ long }) => long === '--help-all');
}
