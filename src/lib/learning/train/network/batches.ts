/** Images in batches, the next ones being decoded while TensorFlow works on one. */
import { orderedGroups } from '../../../base/flow/ordered-groups.ts';
import type { Example } from '../../datasets/dataset.ts';
import type { PixelSource } from './source.ts';

export interface Batch {
  /** Indices of its images in the examples. */
  indices: number[];
  labels: number[];
  /** RGB values from 0 to 255, image by image. */
  pixels: Float32Array;
}

export interface BatchOptions {
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
  // eslint-disable-next-line @typescript-eslint/require-await -- what it hands over is there already
  async function* indices() {
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
