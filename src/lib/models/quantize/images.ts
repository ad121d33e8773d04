/** Images on disk as network inputs; those that cannot be read are told and passed over. */
import { ImageError, UsageError } from '../../base/errors.ts';
import { readImageFile } from '../../base/files/read-file.ts';
import { checkPaths, type FoundFile, pathFilter, type Rejection, walk } from '../../base/files/walk.ts';
import type { ImageLimits } from '../images/limits.ts';

/** All files below `path`, in order; with `limit`, that many, evenly spread over them. Throws a UsageError without any. */
export async function listImages(
  path: string,
  limit: number | undefined,
  signal: AbortSignal,
): Promise<FoundFile[]> {
  await checkPaths([path]);
  const files: FoundFile[] = [];
  for await (const found of walk(path, pathFilter(), signal)) if ('file' in found) files.push(found.file);
  signal.throwIfAborted();
  if (files.length === 0) throw new UsageError(`there are no images in ${path}`);
  return limit === undefined ? files : spread(files, limit);
}

/** `count` of the items, evenly spread. */
export function spread<T>(items: readonly T[], count: number): T[] {
  if (count >= items.length) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]!);
}

export interface Input {
  file: FoundFile;
  input: Float32Array;
}

export interface InputOptions {
  /** Rejects with an ImageError. */
  prepare: (bytes: Uint8Array) => Promise<Float32Array>;
  limits: ImageLimits;
  onRejected: (rejection: Rejection) => void;
  signal: AbortSignal;
}

/** One at a time. Throws the signal's reason when aborted. */
export async function* openInputs(files: readonly FoundFile[], options: InputOptions): AsyncGenerator<Input> {
  const { prepare, limits, onRejected, signal } = options;
  for (const file of files) {
    signal.throwIfAborted();
    try {
      const input = await prepare(await readImageFile(file.file, limits.maxBytes));
      yield { file, input };
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      onRejected({ path: file.path, reason: error.message });
    }
  }
}
