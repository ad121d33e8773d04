/** Reads rules from a file. */
import { errorMessage, VisionscaleError } from '../../base/errors.ts';
import { readTextFile } from '../../base/files/text-file.ts';
import { parseRules } from './parse.ts';
import type { BinRules } from './rules.ts';

const mostBytes = 4 * 1024 ** 2;

/** Throws VisionscaleError: `bins_unavailable` where the file cannot be read, `bins_invalid`. */
export function readRules(path: string): BinRules {
  return parseRules(content(path));
}

function content(path: string): string {
  try {
    return readTextFile(path, { mostBytes });
  } catch (error) {
    throw new VisionscaleError(`cannot read the bins from ${path}: it ${errorMessage(error)}`, {
      code: 'bins_unavailable',
      hint: 'Name a YAML or JSON file of at most 4 MiB in UTF-8. For an example: visionscale bins --help',
      cause: error,
    });
  }
}
