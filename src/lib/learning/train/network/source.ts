/** Where the pixels of training and of judging come from, in batches: decoded once, read back after that. */
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { errorMessage, ImageError, VisionscaleError } from '../../../base/errors.ts';
import { orderedGroups } from '../../../base/flow/ordered-groups.ts';
import { usableCores } from '../../../base/sandbox/parallelism.ts';
import { decodeImage, type DecodeOptions, decodeWithHeader } from '../../../models/images/decode.ts';
import { decodeFailure, tryDecoding } from '../../../models/images/failures.ts';
import { readHeader, sharpInput, sharpOptions } from '../../../models/images/header.ts';
import { defaultLimits } from '../../../models/images/limits.ts';
import { cropWindow, type Preprocessing } from '../../../models/images/preprocess.ts';
import { resizeWindow } from '../../../models/images/resize.ts';
import type { Example } from '../../datasets/dataset.ts';

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
      hint: 'Do not change images during training; --resume continues from the last epoch.',
      cause,
    });
  }
}

/** Lets so many at once through, the rest in the order of their coming. */
function openGate(most: number): <T>(run: () => Promise<T>) => Promise<T> {
  let free = most;
  const waiting: (() => void)[] = [];
  return async (run) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}

// What is kept of an image: for training a square of all of it, for judging the very crop that inference sees.

/** Beside the pixels, the width of the image to its height: the square has lost it. */
interface Square {
  pixels: Uint8Array;
  aspect: number;
}

/** The whole image, squeezed into a square of `side` pixels. Throws an ImageError. */
async function squareOf(path: string, side: number, options: DecodeOptions = {}): Promise<Square> {
  const bytes = await readFile(path);
  const limits = options.limits ?? defaultLimits;
  const header = await readHeader(bytes, limits);
  const size = { width: side, height: side };
  if (!header.plain) {
    const image = await decodeWithHeader(bytes, header, options);
    const { data } = resizeWindow(image, size, { ...size, left: 0, top: 0 });
    return { pixels: data, aspect: image.width / image.height };
  }
  const turn = (options.autoOrient ?? true) && header.orientation > 1;
  const aspect = header.width / header.height;
  try {
    const pixels = await tryDecoding(() =>
      sharp(sharpInput(bytes, header), { ...sharpOptions(header, limits), autoOrient: turn })
        .resize(side, side, { fit: 'fill', kernel: 'linear' })
        .toColourspace('srgb')
        .raw({ depth: 'uchar' })
        .toBuffer(),
    );
    return { pixels, aspect: turn && header.orientation >= 5 ? 1 / aspect : aspect };
  } catch (error) {
    throw decodeFailure(error, header.format);
  }
}

/** The crop that inference sees, before it is normalised. Throws an ImageError. */
async function cropOf(
  path: string,
  preprocessing: Preprocessing,
  options: DecodeOptions = {},
): Promise<Uint8Array> {
  const image = await decodeImage(await readFile(path), options);
  const { size, window } = cropWindow(image, preprocessing);
  return resizeWindow(image, size, window).data;
}

/** Images in batches, the next ones being decoded while TensorFlow works on one. */
export interface Batch {
  /** Indices of its images in the examples. */
  indices: number[];
  labels: number[];
  /** RGB values from 0 to 255, image by image. */
  pixels: Float32Array;
}

interface BatchOptions {
  size: number;
  /** Leaves out an incomplete last batch. */
  full: boolean;
  signal: AbortSignal;
}

/** In the order given; ends early, without an error, when `signal` is aborted. */
export async function* batches(
  source: PixelSource,
  examples: readonly Example[],
  order: ArrayLike<number>,
  { size, full, signal }: BatchOptions,
): AsyncGenerator<Batch, void, void> {
  const count = full ? order.length - (order.length % size) : order.length;
  function* indices() {
    for (let i = 0; i < count; i++) yield order[i]!;
  }
  const read = async (index: number) => ({ index, pixels: await source.pixels(index) });
  const length = 3 * source.side ** 2;
  let batch: Batch = { indices: [], labels: [], pixels: new Float32Array(Math.min(size, count) * length) };
  // One batch ahead, and some: memory is bounded by it.
  for await (const group of orderedGroups(indices, read, { inFlight: 2 * size, signal })) {
    for (const { index, pixels } of group) {
      batch.pixels.set(pixels, batch.indices.length * length);
      batch.indices.push(index);
      batch.labels.push(examples[index]!.label);
      if (batch.indices.length < size) continue;
      yield batch;
      batch = { indices: [], labels: [], pixels: new Float32Array(size * length) };
    }
  }
  const rest = batch.indices.length;
  if (rest > 0 && !full && !signal.aborted) {
    yield { ...batch, pixels: batch.pixels.subarray(0, rest * length) };
  }
}

// Decoded pixels, kept in a file after the first time: records of one size, so that memory stays the system's to give.

interface RecordOptions {
  file: string;
  count: number;
  /** Bytes of a record. */
  size: number;
  /** Largest file; records beyond it are made each time. */
  maxBytes: number;
  /** Makes a record: as many bytes as `size` says. */
  make: (index: number) => Promise<Uint8Array>;
  /** Told once, when no more records fit. */
  onFull: (reason: string) => void;
}

interface Records extends Disposable {
  read(index: number): Promise<Uint8Array>;
}

/** The file is this object's own: what was there goes, and it goes with it. */
function openRecords({ file, count, size, maxBytes, make, onFull }: RecordOptions): Records {
  const fd = openSync(file, 'w+', 0o600);
  const kept = new Uint8Array(count);
  let room = Math.floor(maxBytes / size);
  let open = true;
  if (room < count) onFull(`${count} images take ${count * size} bytes, the limit is ${maxBytes}`);

  function keep(index: number, record: Uint8Array): void {
    if (!open || index >= room) return;
    try {
      for (let at = 0; at < size;) at += writeSync(fd, record, at, size - at, index * size + at);
      kept[index] = 1;
    } catch (error) {
      room = 0; // a full disk costs time, not the training
      onFull(errorMessage(error));
    }
  }

  return {
    async read(index) {
      // Synchronous: the system mostly has it in memory, and the event loop stands still during every step.
      if (kept[index]) {
        const record = Buffer.allocUnsafe(size);
        for (let at = 0; at < size;) {
          const read = readSync(fd, record, at, size - at, index * size + at);
          if (read === 0) throw new Error(`${file} was cut off while it was in use`);
          at += read;
        }
        return record;
      }
      const record = await make(index);
      keep(index, record);
      return record;
    },
    [Symbol.dispose]() {
      if (!open) return;
      open = false;
      closeSync(fd);
      rmSync(file, { force: true });
    },
  };
}
