/** Finds and reads a model's files within size limits; a file that is absent is `undefined`, one that is wrong an error. */
import { open, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errorMessage, VisionscaleError } from '../../base/errors.ts';

export function invalidModel(message: string, details: { hint: string; cause?: unknown }): VisionscaleError {
  return new VisionscaleError(message, { code: 'model_invalid', ...details });
}

/** The file's bytes in shared memory, or undefined where there is no such file. */
export async function readModelFile(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    if (size > maxBytes) {
      const limit = maxBytes / 2 ** 20;
      throw invalidModel(`${path} has ${(size / 2 ** 20).toFixed(1)} MiB; the limit is ${limit} MiB`, {
        hint: `Is this really the ${basename(path)} of a model?`,
      });
    }
    const bytes = new Uint8Array(new SharedArrayBuffer(size));
    let at = 0;
    while (at < size) {
      const { bytesRead } = await file.read(bytes, at, size - at, at);
      if (bytesRead === 0) break;
      at += bytesRead;
    }
    return bytes.subarray(0, at);
  } catch (error) {
    if (error instanceof VisionscaleError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw invalidModel(`${path} cannot be read: ${errorMessage(error)}`, {
      hint: 'It must be a file that this user may read.',
      cause: error,
    });
  }
}

/** The file as text, or undefined where there is no such file. */
export async function readModelText(path: string, maxBytes: number): Promise<string | undefined> {
  const bytes = await readModelFile(path, maxBytes);
  if (bytes === undefined) return undefined;
  try {
    // TextDecoder takes no shared memory.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.slice());
  } catch (cause) {
    throw invalidModel(`${path} is not UTF-8 text`, { hint: 'Save it as UTF-8.', cause });
  }
}

/** A copy in shared memory: every thread that is handed it reads the very same bytes. */
export function inSharedMemory(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return shared;
}

/** `model.onnx`, else the only .onnx file; where there is none, those of the folder `onnx`. Throws model_not_found or model_invalid. */
export async function findWeights(directory: string): Promise<string> {
  const all = await readdir(directory);
  const names = all.filter((name) => name.toLowerCase().endsWith('.onnx')).sort();
  // As on the Hugging Face hub.
  if (names.length === 0 && all.includes('onnx')) return findWeights(join(directory, 'onnx'));
  if (names.includes('model.onnx')) return join(directory, 'model.onnx');
  if (names.length > 1) {
    throw invalidModel(`${directory} holds ${names.length} models: ${names.slice(0, 5).join(', ')}`, {
      hint: 'Give one of the files, or rename the right one to model.onnx.',
    });
  }
  if (names[0] === undefined) {
    throw new VisionscaleError(`there is no .onnx file in ${directory}`, {
      code: 'model_not_found',
      hint: 'A model directory holds model.onnx and labels.txt.',
    });
  }
  return join(directory, names[0]);
}
