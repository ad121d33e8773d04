/** Reads an image of a data set again: it must still be the one that was looked at. */
import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { ImageError, VisionscaleError } from '../../base/errors.ts';
import { readImageFile } from '../../base/files/read-file.ts';
import type { Example } from './dataset.ts';

/** Throws a VisionscaleError `dataset_changed`. The bytes own their memory, so that they can move to a thread. */
export async function readExample(
  { path, sha256 }: Example,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const bytes = new Uint8Array(await readImageFile(await realpath(path), maxBytes));
    if (createHash('sha256').update(bytes).digest('hex') === sha256) return bytes;
  } catch (cause) {
    if (!(cause instanceof ImageError) && (cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw changed(path, cause);
  }
  throw changed(path);
}

function changed(path: string, cause?: unknown): VisionscaleError {
  return new VisionscaleError(`${path} changed while the training ran`, {
    code: 'dataset_changed',
    hint: 'Run the command again when nobody writes to the directory any more.',
    cause,
  });
}
