/** Pillow's antialiased bilinear resize, bit for bit, computing only a window of the result. */
import type { RgbImage } from './pixels.ts';

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
const HALF = 1 << (PRECISION - 1);

/**
 * The pixels of `window` in `image` resized to `size`: horizontally, rounded to 8 bits, then vertically, in integers, as
 * `Image.resize(size, BILINEAR)` computes them.
 */
export function resizeWindow(image: RgbImage, size: Size, window: Window): RgbImage {
  const across = triangleWeights(image.width, size.width, window.left, window.width);
  const down = triangleWeights(image.height, size.height, window.top, window.height);
  const last = window.height - 1;
  const firstRow = down.starts[0]!;
  const rows = down.starts[last]! + down.counts[last]! - firstRow;
  const narrowed = resizeAcross(image, firstRow, rows, across, window.width);
  const data = resizeDown(narrowed, firstRow, down, window);
  return { data, width: window.width, height: window.height };
}

/** Weights of the output pixels `first` to `first + count - 1` along one axis. */
function triangleWeights(inSize: number, outSize: number, first: number, count: number): Weights {
  const scale = inSize / outSize;
  const support = Math.max(scale, 1);
  const stride = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(count);
  const counts = new Int32Array(count);
  const values = new Int32Array(count * stride);
  const exact = new Float64Array(stride);
  const inverse = 1 / support;
  for (let i = 0; i < count; i++) {
    const centre = (first + i + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - support + 0.5), 0);
    const taps = Math.min(Math.trunc(centre + support + 0.5), inSize) - start;
    let sum = 0;
    for (let t = 0; t < taps; t++) {
      const weight = Math.max(1 - Math.abs((t + start - centre + 0.5) * inverse), 0);
      exact[t] = weight;
      sum += weight;
    }
    for (let t = 0; t < taps; t++) {
      values[i * stride + t] = Math.trunc(0.5 + (exact[t]! / sum) * (1 << PRECISION));
    }
    starts[i] = start;
    counts[i] = taps;
  }
  return { starts, counts, values, stride };
}

/** `rows` rows from `firstRow`, each narrowed (or widened) to `width` pixels. */
function resizeAcross(
  image: RgbImage,
  firstRow: number,
  rows: number,
  weights: Weights,
  width: number,
): Uint8Array {
  const { starts, counts, values, stride } = weights;
  const { data } = image;
  const out = new Uint8Array(rows * width * 3);
  let to = 0;
  for (let y = 0; y < rows; y++) {
    const row = (firstRow + y) * image.width * 3;
    for (let x = 0; x < width; x++) {
      let from = row + starts[x]! * 3;
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      const end = x * stride + counts[x]!;
      let k = x * stride;
      // Two source pixels a turn: measured a tenth faster.
      for (; k + 1 < end; k += 2, from += 6) {
        const [w0, w1] = [values[k]!, values[k + 1]!];
        red += Math.imul(w0, data[from]!) + Math.imul(w1, data[from + 3]!);
        green += Math.imul(w0, data[from + 1]!) + Math.imul(w1, data[from + 4]!);
        blue += Math.imul(w0, data[from + 2]!) + Math.imul(w1, data[from + 5]!);
      }
      if (k < end) {
        const weight = values[k]!;
        red += Math.imul(weight, data[from]!);
        green += Math.imul(weight, data[from + 1]!);
        blue += Math.imul(weight, data[from + 2]!);
      }
      out[to] = red >> PRECISION;
      out[to + 1] = green >> PRECISION;
      out[to + 2] = blue >> PRECISION;
      to += 3;
    }
  }
  return out;
}

/** The window's rows, each a weighted sum of rows of `narrowed`, whose first row is `firstRow` of the source. */
function resizeDown(narrowed: Uint8Array, firstRow: number, weights: Weights, window: Size): Uint8Array {
  const { starts, counts, values, stride } = weights;
  const samples = window.width * 3;
  const out = new Uint8Array(window.height * samples);
  const sums = new Int32Array(samples);
  for (let y = 0; y < window.height; y++) {
    const rows = counts[y]!;
    const from = (starts[y]! - firstRow) * samples;
    const of = values.subarray(y * stride, (y + 1) * stride);
    const target = out.subarray(y * samples, (y + 1) * samples);
    if (rows <= 4) sumOfFour(narrowed, from, of, rows, target);
    else sumOfMany(narrowed, from, of, rows, target, sums);
  }
  return out;
}

/** Up to four rows, as for a photograph less than twice the size: sums stay in registers, measured 1.8 times faster. */
function sumOfFour(source: Uint8Array, from: number, weights: Int32Array, rows: number, target: Uint8Array) {
  const samples = target.length;
  const weight = (row: number) => (row < rows ? weights[row]! : 0);
  // A row that is not there is the first one, weighing nothing.
  const place = (row: number) => (row < rows ? from + row * samples : from);
  const [w0, w1, w2, w3] = [weight(0), weight(1), weight(2), weight(3)];
  const [r1, r2, r3] = [place(1), place(2), place(3)];
  for (let i = 0; i < samples; i++) {
    target[i] =
      (HALF +
        Math.imul(w0, source[from + i]!) +
        Math.imul(w1, source[r1 + i]!) +
        Math.imul(w2, source[r2 + i]!) +
        Math.imul(w3, source[r3 + i]!)) >>
      PRECISION;
  }
}

/** Any number of rows; `sums` is room for one. */
function sumOfMany(
  source: Uint8Array,
  from: number,
  weights: Int32Array,
  rows: number,
  target: Uint8Array,
  sums: Int32Array,
) {
  const samples = target.length;
  sums.fill(HALF);
  for (let row = 0; row < rows; row++) {
    const weight = weights[row]!;
    const start = from + row * samples;
    for (let i = 0; i < samples; i++) sums[i] = sums[i]! + Math.imul(weight, source[start + i]!);
  }
  for (let i = 0; i < samples; i++) target[i] = sums[i]! >> PRECISION;
}
