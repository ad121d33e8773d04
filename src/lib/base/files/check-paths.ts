/** Looks whether the paths that were given are there, before any work begins. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { UsageError } from '../errors.ts';

/** The paths without repetitions. Throws a UsageError that names all that do not exist. */
export async function checkPaths(paths: readonly string[]): Promise<string[]> {
  if (paths.length === 0) throw new UsageError('no files or directories were given');
  const unique = new Map(paths.map((path) => [resolve(path), path]));
  const missing: string[] = [];
  for (const path of unique.values()) {
    try {
      await stat(path);
    } catch (error) {
      // Anything else is told when it is walked.
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'ENOENT' || code === 'ENOTDIR') missing.push(path);
    }
  }
  if (missing.length > 0) {
    throw new UsageError(missing.map((path) => `no such file or directory: ${path}`).join('\n'));
  }
  return [...unique.values()];
}
