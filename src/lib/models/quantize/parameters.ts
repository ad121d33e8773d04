/** What tensors become in int8: scales, zero points and the rounded numbers. */

/** What uint8 stands for: real = (stored − zeroPoint) · scale. */
export interface Affine {
  scale: number;
  zeroPoint: number;
}

export interface Range {
  min: number;
  max: number;
}

/** Of float32; runtimes may take less for zero. */
const leastNormal = 2 ** -126;

/** Asymmetric uint8. Zero is always exact: it is what convolutions pad with, and where a ReLU begins. */
export function activationParameters({ min, max }: Range): Affine {
  const low = Math.min(0, min);
  const high = Math.max(0, max);
  const step = Math.fround((high - low) / 255);
  const scale = step < leastNormal ? 1 : step;
  return { scale, zeroPoint: Math.min(255, Math.max(0, roundHalfEven(-low / scale))) };
}

export interface QuantizedWeights {
  data: Int8Array;
  /** One an output channel. */
  scales: Float32Array;
}

/**
 * Symmetric, a scale for each channel along `axis`. `most` is the greatest magnitude: 127, or 64 where the CPU adds two
 * products in 16 bits. `leastScale` keeps a channel's bias within int32.
 */
export function quantizeWeights(
  data: Float32Array,
  dims: readonly number[],
  axis: number,
  most: number,
  leastScale: (channel: number) => number,
): QuantizedWeights {
  const channels = dims[axis]!;
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const channelOf = (index: number) => Math.floor(index / inner) % channels;
  const greatest = new Float32Array(channels);
  for (let i = 0; i < data.length; i++) {
    const channel = channelOf(i);
    greatest[channel] = Math.max(greatest[channel]!, Math.abs(data[i]!));
  }
  const scales = greatest.map((value, channel) => Math.max(value / most, leastScale(channel)) || 1);
  const quantized = new Int8Array(data.length);
  for (let i = 0; i < data.length; i++) {
    quantized[i] = Math.max(-most, Math.min(most, roundHalfEven(data[i]! / scales[channelOf(i)]!)));
  }
  return { data: quantized, scales };
}

/**
 * What rounding the weights takes from each output channel where every input channel has its mean: added to the bias, the
 * channel's mean over many images stays where it was. `means` has one value for each channel of the input.
 */
export function roundingShift(
  weights: Float32Array,
  { data, scales }: QuantizedWeights,
  dims: readonly number[],
  axis: 0 | 1,
  means: Float32Array,
  groups: number,
): Float32Array {
  const [rows, columns] = [dims[0]!, dims[1]!];
  const inner = dims.slice(2).reduce((a, b) => a * b, 1);
  const shift = new Float32Array(scales.length);
  for (let i = 0; i < weights.length; i++) {
    const row = Math.floor(i / (inner * columns));
    const column = Math.floor(i / inner) % columns;
    const [to, from] = axis === 0 ? [row, column] : [column, row];
    const first = axis === 0 ? Math.floor((row * groups) / rows) * columns : 0;
    shift[to]! += (weights[i]! - data[i]! * scales[to]!) * means[first + from]!;
  }
  return shift;
}

/** In units of input scale times weight scale, in which the runtime adds. */
export function quantizeBias(
  bias: Float32Array,
  inputScale: number,
  scales: Float32Array,
): { data: Int32Array; scales: Float32Array } {
  const products = scales.map((scale) => scale * inputScale);
  return { data: Int32Array.from(bias, (value, i) => roundHalfEven(value / products[i]!)), scales: products };
}

/** The least weight scale with which `bias` fits into 30 bits. */
export function leastWeightScale(bias: number, inputScale: number): number {
  return Math.abs(bias) / (inputScale * 2 ** 30);
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
