/** What a text for users names of the tool: commands and flags, found in lines of shell, and settings. */
import type { Command } from 'commander';
import { buildProgram } from '../../src/cli.ts';
import { settings } from '../../src/lib/config/settings/settings.ts';

const program = buildProgram();
const known = new Set(settings.flatMap(({ env, secret }) => (secret ? [env, `${env}_FILE`] : [env])));

/** Whether there is such a setting; one of a secret's file is. */
export const isSetting = (name: string) => known.has(name);

export interface Code {
  text: string;
  /** A line for a shell, where every command has to exist. */
  isShell: boolean;
}

/** The words behind `visionscale`; or all of them, where a command is named without it. */
export function commandLines({ text, isShell }: Code): string[][] {
  const lines = text.split(/\||&&|;|\$\(|#/).flatMap((part) => {
    const words = part.trim().split(/\s+/);
    const at = words.findIndex((word) => /(^|\/)visionscale$/.test(word));
    if (at < 0) return [];
    const isCalled =
      isShell && words.slice(0, at).every((word) => /^(\$|npx|sudo|exec|[A-Z_]+=.*)$/.test(word));
    return isCalled || isCommand(words[at + 1]) ? [words.slice(at + 1)] : [];
  });
  if (lines.length > 0) return lines;
  const words = text.trim().split(/\s+/);
  return isCommand(words[0]) ? [words] : [];
}

function isCommand(word: string | undefined): boolean {
  return program.commands.some((command) => command.name() === word);
}

/** The command, where it is none, and its flags that it does not have. */
export function faultsOf(words: string[]): string[] {
  let command: Command = program;
  const path: string[] = [];
  const faults: string[] = [];
  for (const word of words) {
    const part = command.commands.find((one) => one.name() === word);
    if (part !== undefined) {
      command = part;
      path.push(word);
    } else if (path.length === 0 && /^[a-z][a-z-]+$/.test(word)) return [word];
    const [flag] = /^--[a-z][a-z-]*/.exec(word) ?? [];
    if (flag === undefined || ['--help', '--version'].includes(flag)) continue;
    if (!command.options.some(({ long }) => long === flag)) faults.push([...path, flag].join(' '));
  }
  return faults;
}
