/** The models that come with the package, in its directory `models/`. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readEntry, type ModelEntry } from './entry.ts';

/** The same directory from src/lib/models and from dist/lib/models. */
export const bundledDirectory = fileURLToPath(new URL('../../../models', import.meta.url));

/** SqueezeNet trained on the parts that `lib/parts` draws: what `demo` runs on them. It knows no photographs. */
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
