/** Makes directories that people name, and finds out before any work is done whether they can be written. */
import { access, constants, mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { errorMessage, UsageError } from '../errors.ts';

/**
 * The directory, with those above it, exists and can be written. Throws a UsageError that names it. Level by level, because
 * Node's own recursive mkdir never ends below /proc.
 */
export async function makeWritableDirectory(path: string): Promise<void> {
  try {
    for (const directory of await missingLevels(resolve(path))) {
      await mkdir(directory).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error; // another process was as quick
      });
    }
    await access(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new UsageError(
      `nothing can be written to ${path}: ${errorMessage(error)}`,
      'Name a directory that this user may write to.',
    );
  }
}

/** Outermost first. */
async function missingLevels(path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    try {
      if ((await stat(at)).isDirectory()) return missing;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || at === dirname(at)) throw error;
      missing.unshift(at);
      continue;
    }
    throw new Error(`${at} is not a directory`);
  }
}
