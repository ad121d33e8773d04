/** This package as it is installed: its directory, its version, and its compiled code for other processes and threads. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VisionscaleError } from './errors.ts';

/** The directory of package.json, from the sources as from dist/. */
export const packageRoot = above(dirname(fileURLToPath(import.meta.url)));

function above(directory: string): string {
  return existsSync(join(directory, 'package.json')) ? directory : above(dirname(directory));
}

export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }).version;
}

/**
 * The compiled form of `module`, a path below src/ without its ending. Threads and child processes run compiled code, also where
 * this process runs from the sources (tests). Throws `not_built`.
 */
export function compiledFile(module: string): string {
  const path = join(packageRoot, 'dist', `${module}.js`);
  if (existsSync(path)) return path;
  throw new VisionscaleError(`${path} is missing`, {
    code: 'not_built',
    hint: 'Build the project: npm run build',
  });
}
