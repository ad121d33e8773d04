/** Pillow's antialiased bilinear and bicubic resize, bit for bit, computing only a window of the result. */
import { Layout, withKernels } from './kernels.ts';
import type { RgbImage } from './pixels.ts';

export const interpolations = ['bilinear', 'bicubic'] as const;

export type Interpolation = (typeof interpolations)[number];

export interface Size {
  width: number;
  height: number;
}

/** A rectangle of the resized image. */
export interface Window extends Size {
  left: number;
  top: number;
}

/** For each output pixel: where its source pixels start, how many they are, and their fixed-point weights. */
interface Weights {
  starts: Int32Array;
  counts: Int32Array;
  values: Int32Array;
  /** Distance in `values` from one output pixel to the next. */
  stride: number;
}

/** Pillow keeps 32 bits for a sum of 8-bit samples, with 2 to spare. */
const PRECISION = 22;
/** Source rows are resized across in strips of about so many bytes, which stay in the processor's cache. */
const stripBytes = 256 * 1024;

/**
 * The pixels of `window` in `image` resized to `size`: horizontally, rounded to 8 bits, then vertically, in integers, as
 * `Image.resize(size, BILINEAR)` or `BICUBIC` computes them.
 */
export function resizeWindow(
  image: RgbImage,
  size: Size,
  window: Window,
  interpolation: Interpolation = 'bilinear',
): RgbImage {
  const filter = filters[interpolation];
  const across = weightsOf(filter, image.width, size.width, window.left, window.width);
  const down = weightsOf(filter, image.height, size.height, window.top, window.height);
  const last = window.height - 1;
  const firstRow = down.starts[0]!;
  const rows = down.starts[last]! + down.counts[last]! - firstRow;
  const [fromBytes, toBytes] = [image.width * 3, window.width * 3];
  const stripRows = Math.min(rows, Math.max(1, Math.floor(stripBytes / fromBytes)));

  const layout = new Layout();
  const strip = layout.take(stripRows * fromBytes);
  const narrowed = layout.take(rows * toBytes);
  const out = layout.take(window.height * toBytes);
  const [acrossAt, downAt] = [placeWeights(layout, across), placeWeights(layout, down)];
  return withKernels(layout, (kernels, memory) => {
    const bytes = new Uint8Array(memory);
    const acrossTables = putWeights(memory, acrossAt, across, (start) => start * 3);
    const downTables = putWeights(memory, downAt, down, (start) => (start - firstRow) * toBytes);
    for (let row = 0; row < rows; row += stripRows) {
      const some = Math.min(stripRows, rows - row);
      const from = (firstRow + row) * fromBytes;
      bytes.set(image.data.subarray(from, from + some * fromBytes), strip);
      kernels.across(strip, fromBytes, some, ...acrossTables, window.width, narrowed + row * toBytes);
    }
    kernels.down(narrowed, toBytes, window.height, ...downTables, out);
    const data = bytes.slice(out, out + window.height * toBytes);
    return { data, width: window.width, height: window.height };
  });
}

/** What a source pixel at a distance weighs, up to `reach`, in pixels of the result (of the source, where that is smaller). */
interface Filter {
  reach: number;
  at: (distance: number) => number;
}

const filters: Record<Interpolation, Filter> = {
  bilinear: { reach: 1, at: (x) => Math.max(1 - Math.abs(x), 0) },
  bicubic: { reach: 2, at: cubic },
};

/** Keys' cubic with a = −0.5, in Pillow's order of operations. */
function cubic(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** Weights of the output pixels `first` to `first + count - 1` along one axis. */
function weightsOf(filter: Filter, inSize: number, outSize: number, first: number, count: number): Weights {
  const scale = inSize / outSize;
  const stretch = Math.max(scale, 1);
  const support = filter.reach * stretch;
  const stride = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(count);
  const counts = new Int32Array(count);
  const values = new Int32Array(count * stride);
  const exact = new Float64Array(stride);
  const inverse = 1 / stretch;
  for (let i = 0; i < count; i++) {
    const centre = (first + i + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - support + 0.5), 0);
    const taps = Math.min(Math.trunc(centre + support + 0.5), inSize) - start;
    let sum = 0;
    for (let t = 0; t < taps; t++) {
      const weight = filter.at((t + start - centre + 0.5) * inverse);
      exact[t] = weight;
      sum += weight;
    }
    for (let t = 0; t < taps; t++) {
      const share = (exact[t]! / sum) * (1 << PRECISION);
      values[i * stride + t] = Math.trunc(share < 0 ? share - 0.5 : share + 0.5);
    }
    starts[i] = start;
    counts[i] = taps;
  }
  return { starts, counts, values, stride };
}

function placeWeights(layout: Layout, { starts, counts, values }: Weights) {
  return [starts, counts, values].map(({ byteLength }) => layout.take(byteLength)) as [number, number, number];
}

/** `byteOf`: where in the source a start is. Returns what the kernels are told of the weights. */
function putWeights(
  memory: ArrayBuffer,
  at: [starts: number, counts: number, values: number],
  { starts, counts, values, stride }: Weights,
  byteOf: (start: number) => number,
): [starts: number, counts: number, values: number, stride: number] {
  [starts.map(byteOf), counts, values].forEach((table, i) => new Int32Array(memory, at[i], table.length).set(table));
  return [...at, stride];
}
