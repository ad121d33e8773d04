/** Reads rules from a file. */
import { readFile, stat } from 'node:fs/promises';
import { errorMessage, VisionscaleError } from '../errors.ts';
import { parseRules } from './parse.ts';
import type { BinRules } from './rules.ts';

const mostBytes = 4 * 1024 ** 2;

/** Throws VisionscaleError: `bins_unavailable` where the file cannot be read, `bins_invalid`. */
export async function readRules(path: string): Promise<BinRules> {
  return parseRules(await content(path));
}

async function content(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > mostBytes) throw new Error(`it has ${size} bytes; ${mostBytes} are the most`);
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    throw new VisionscaleError(`cannot read the bins from ${path}: ${errorMessage(error)}`, {
      code: 'bins_unavailable',
      hint: 'Name a YAML or JSON file of at most 4 MiB in UTF-8. For an example: visionscale bins --help',
      cause: error,
    });
  }
}
