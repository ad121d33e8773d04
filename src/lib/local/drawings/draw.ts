/** Draws pictures into class folders, the layout that `train` reads: `<directory>/red gear/0001.jpg`. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { drawPicture, kindOf } from './picture.ts';
import { kinds, labelOf } from './shapes.ts';

export interface DrawOptions {
  /** How many pictures in all; the classes differ by one at most. */
  count: number;
  seed: number;
  /** Aborted: no picture is begun any more. */
  signal?: AbortSignal;
  /** After each picture; `path` is below the directory, with `/`. */
  onPicture?: (drawn: { path: string; label: string }) => void;
}

/** Pictures at a time: sharp draws on threads of its own. */
const concurrency = 4;

/** Creates the folders it needs and overwrites pictures of the same names. The same seed gives the same bytes. */
export async function drawParts(directory: string, options: DrawOptions): Promise<void> {
  const { count, seed, signal, onPicture } = options;
  const shown = Array.from({ length: Math.min(count, kinds.length) }, (_, index) => kindOf(seed, index));
  await Promise.all(shown.map((kind) => mkdir(join(directory, labelOf(kind)), { recursive: true })));
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count && signal?.aborted !== true) {
      const index = next++;
      const kind = kindOf(seed, index);
      const label = labelOf(kind);
      // Each kind comes once in a round, so the round numbers its pictures.
      const file = `${String(Math.floor(index / kinds.length) + 1).padStart(4, '0')}.jpg`;
      await writeFile(join(directory, label, file), await drawPicture(kind, seed, index));
      onPicture?.({ path: `${label}/${file}`, label });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
}
