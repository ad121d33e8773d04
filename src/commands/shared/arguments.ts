/** Flags that several commands have, and what parses their values; a wrong one is told by commander with the flag's name. */
import { type Command, InvalidArgumentError } from 'commander';

export function positive(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || !(value > 0))
    throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

export function countAbove0(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('It must be above 0.');
  return value;
}

/** For a flag that may be repeated. */
export function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

export function beltName(text: string): string {
  if (text === '' || Buffer.byteLength(text) > 256 || /\p{Cc}/u.test(text)) {
    throw new InvalidArgumentError('It must be 1 to 256 bytes of text without control characters.');
  }
  return text;
}

/** `upload`, `classify`, `train` and `evaluate` alike. */
export const followLinks = [
  '--follow-links',
  'Follow symbolic links that lead out of the directory (default: skip them)',
] as const;

/** Likewise, and `watch`. */
export const strict = [
  '--strict',
  'Reject files that are not images by name (.txt, .json, dot files) instead of passing over them',
] as const;

/** Which files of a directory. */
export function fileFlags(command: Command): Command {
  return command
    .option(
      '--include <glob>',
      'Only files whose path below the directory matches; can be repeated',
      collect,
      [],
    )
    .option('--exclude <glob>', 'Skip files that match; can be repeated', collect, [])
    .option(...followLinks)
    .option(...strict);
}
