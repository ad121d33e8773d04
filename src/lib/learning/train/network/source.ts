/** Where the pixels of training and of judging come from: decoded once, read back after that. */
import { join } from 'node:path';
import { ImageError, VisionscaleError } from '../../../base/errors.ts';
import { openGate } from '../../../base/flow/gate.ts';
import { usableCores } from '../../../base/sandbox/parallelism.ts';
import type { DecodeOptions } from '../../../models/images/decode.ts';
import type { Preprocessing } from '../../../models/images/preprocess.ts';
import type { Example } from '../../datasets/dataset.ts';
import { cropOf, squareOf } from './pixels.ts';
import { openRecords } from './records.ts';

export interface PixelSource extends Disposable {
  /** Width and height of every image. */
  readonly side: number;
  /** RGB bytes, row by row. Rejects with a VisionscaleError `dataset_changed` when the image no longer is one. */
  pixels(index: number): Promise<Uint8Array>;
  /** Width to height of the image before it became a square; known once its pixels are there. */
  aspect(index: number): number;
}

export interface SourceOptions {
  examples: readonly Example[];
  preprocessing: Preprocessing;
  decode: DecodeOptions;
  /** For files of decoded pixels. */
  directory: string;
  maxBytes: number;
  onFull: (reason: string) => void;
}

/** Squares of the whole image, as large as the resized image's shorter side. */
export function openTrainingSource(options: SourceOptions): PixelSource {
  const aspects = new Float32Array(options.examples.length);
  const side = options.preprocessing.resize;
  return open('train', side, options, aspects, async (path, index) => {
    const { pixels, aspect } = await squareOf(path, side, options.decode);
    aspects[index] = aspect;
    return pixels;
  });
}

/** The crops that inference sees. */
export function openHeldSource(options: SourceOptions): PixelSource {
  const { preprocessing, decode } = options;
  const aspects = new Float32Array(options.examples.length).fill(1);
  return open('held', preprocessing.crop, options, aspects, (path) => cropOf(path, preprocessing, decode));
}

function open(
  name: string,
  side: number,
  { examples, directory, maxBytes, onFull }: SourceOptions,
  aspects: Float32Array,
  decode: (path: string, index: number) => Promise<Uint8Array>,
): PixelSource {
  // An image may take hundreds of megabytes while it is decoded.
  const gate = openGate(usableCores() + 2);
  const records = openRecords({
    file: join(directory, `${name}.pixels`),
    count: examples.length,
    size: 3 * side * side,
    maxBytes,
    onFull,
    make: (index) => gate(() => named(examples[index]!.path, (path) => decode(path, index))),
  });
  return {
    side,
    pixels: (index) => records.read(index),
    aspect: (index) => aspects[index]!,
    [Symbol.dispose]: () => records[Symbol.dispose](),
  };
}

async function named<T>(path: string, run: (path: string) => Promise<T>): Promise<T> {
  try {
    return await run(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (!(cause instanceof ImageError) && code !== 'ENOENT' && code !== 'EACCES') throw cause;
    throw new VisionscaleError(`${path} could be read before, but no longer: ${(cause as Error).message}`, {
      code: 'dataset_changed',
      hint: 'Leave the images alone while training goes on; --resume goes on from the last epoch.',
      cause,
    });
  }
}
