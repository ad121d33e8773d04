/** The pictures of `demo` without a directory: parts on a belt, drawn here, so that what each shows is known. */
import { join } from 'node:path';
import type { LoadedModel } from '../../models/format/model.ts';
import { drawParts } from '../drawings/draw.ts';
import { kinds, labelOf } from '../drawings/shapes.ts';

export const demoParts = {
  count: 300,
  /** Neither the seed of the pictures that the bundled model was trained on, nor of those it was measured on. */
  seed: 300,
  /** The folder of their keys. */
  prefix: 'demo-parts',
} as const;

export interface DrawnParts {
  /** Where they are, a folder for each label. */
  directory: string;
  /** What each picture shows, by its key. */
  truth: Map<string, string>;
}

/** Below the data directory. A second time draws the same pictures, which need no second upload. */
export async function drawDemoParts(
  dataDir: string,
  options: { signal: AbortSignal; onPicture: () => void },
): Promise<DrawnParts> {
  const directory = join(dataDir, demoParts.prefix);
  const truth = new Map<string, string>();
  await drawParts(directory, {
    ...demoParts,
    signal: options.signal,
    onPicture({ path, label }) {
      truth.set(`${demoParts.prefix}/${path}`, label);
      options.onPicture();
    },
  });
  return { directory, truth };
}

/** Whether the model has a name for every part. */
export function knowsParts({ info }: LoadedModel): boolean {
  const labels = new Set(info.labels);
  return kinds.every((kind) => labels.has(labelOf(kind)));
}
