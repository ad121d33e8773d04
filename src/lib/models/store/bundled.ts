/** The models that come with the package, in its directory `models/`. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../base/package.ts';
import { readEntry, type ModelEntry } from './entry.ts';

export const bundledDirectory = join(packageRoot, 'models');

/** SqueezeNet trained on the parts that `lib/local/drawings` draws: what `demo` runs on them. It knows no photographs. */
export const partsModelDirectory = join(bundledDirectory, 'squeezenet');

/** Those that are whole; each is named by its manifest. */
export async function bundledModels(directory = bundledDirectory): Promise<ModelEntry[]> {
  const names = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const directories = names
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(directory, entry.name));
  const entries = await Promise.all(directories.map((path) => readEntry(path, { bundled: true })));
  return entries.filter((entry) => entry !== undefined);
}
