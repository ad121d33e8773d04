/** Samples of a TIFF file to bytes, and bytes of any of its colour spaces to red, green and blue. */
import { unsupported } from '../../failures.ts';
import type { TiffLayout } from './layout.ts';

const COLOUR_MAP = 320;
const LUMA = 529;
const REFERENCE_BLACK_WHITE = 532;

/** Least and greatest value of all samples that have no agreed white. */
export interface SampleRange {
  least: number;
  most: number;
}

/** Where the bytes of one sample of every pixel go. */
export interface Target {
  out: Uint8Array;
  /** From one pixel to the next. */
  stride: number;
  /** Of the first pixel. */
  at: number;
}

/**
 * Copies sample `from` of every pixel, which has `samples`, in rows that begin at a whole byte. 16 bits keep their high
 * byte, 12 their upper 8; fewer than 8 stay as they are.
 */
export function samplesToBytes(
  data: Uint8Array,
  layout: TiffLayout,
  samples: number,
  from: number,
  target: Target,
  range: SampleRange,
): void {
  const { bits, chunkWidth, littleEndian } = layout;
  const { out, stride } = target;
  if (hasNoWhite(layout)) {
    wideToBytes(data, layout, target, range);
    return;
  }
  if (bits === 8 || bits === 16) {
    const step = (samples * bits) / 8;
    let at = (from * bits) / 8 + (bits === 16 && littleEndian ? 1 : 0);
    for (let i = target.at; i < out.length; i += stride, at += step) out[i] = data[at]!;
    return;
  }
  const kept = Math.min(bits, 8);
  const rowBytes = Math.ceil((chunkWidth * samples * bits) / 8);
  for (let row = 0, i = target.at; i < out.length; row += rowBytes) {
    for (let x = 0; x < chunkWidth; x++, i += stride) {
      const bit = (x * samples + from) * bits;
      const at = row + (bit >> 3);
      const pair = (data[at]! << 8) | (data[at + 1] ?? 0);
      out[i] = (pair >> (16 - kept - (bit & 7))) & (2 ** kept - 1);
    }
  }
}

export function hasNoWhite({ bits, format }: Pick<TiffLayout, 'bits' | 'format'>): boolean {
  return bits === 32 || (bits === 16 && format === 'int');
}

/** Of one sample a pixel. */
function wideToBytes(data: Uint8Array, layout: TiffLayout, target: Target, range: SampleRange): void {
  const { bits, format, littleEndian } = layout;
  const { out, stride } = target;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const read =
    bits === 16
      ? (at: number) => view.getInt16(at, littleEndian)
      : format === 'float'
        ? (at: number) => view.getFloat32(at, littleEndian)
        : format === 'int'
          ? (at: number) => view.getInt32(at, littleEndian)
          : (at: number) => view.getUint32(at, littleEndian);
  for (let i = target.at, at = 0; i < out.length; i += stride, at += bits / 8) {
    const value = read(at);
    range.least = Math.min(range.least, value);
    range.most = Math.max(range.most, value);
    out[i] = value;
  }
}

/** What lies between 0 and 255, as Pillow takes it, is taken; any other white would be a guess. */
export function checkRange({ least, most }: SampleRange, { bits, format }: TiffLayout): void {
  const fractions = format === 'float' && most > 0 && most <= 1;
  if (least >= 0 && most <= 255 && !fractions) return;
  const kind = { uint: '', int: 'signed ', float: 'floating-point ' }[format];
  const range = Number.isNaN(least) ? 'that are no numbers' : `from ${least} to ${most}, not 0 to 255,`;
  throw unsupported(`TIFF files of ${bits}-bit ${kind}samples ${range}`);
}

/** A function that makes `bytes` of `stride` samples a pixel into RGB, three bytes a pixel. */
export function toRgb(layout: TiffLayout): (bytes: Uint8Array, stride: number) => Uint8Array {
  switch (layout.photometric) {
    case 'white':
    case 'black':
    case 'palette': {
      const table = layout.photometric === 'palette' ? palette(layout) : greys(layout);
      return (bytes, stride) => lookUp(bytes, stride, table);
    }
    case 'rgb':
      return (bytes, stride) => (stride === 3 ? bytes : firstThree(bytes, stride));
    case 'cmyk':
      return cmykToRgb;
    case 'ycbcr':
      // JPEG has done it.
      return layout.compression === 'jpeg' ? (bytes) => bytes : ycbcrToRgb(layout);
    case 'lab':
      return labToRgb;
  }
}

function greys({ bits, photometric }: TiffLayout): Uint8Array {
  const most = 2 ** Math.min(bits, 8) - 1;
  const table = new Uint8Array(3 * 256);
  for (let i = 0; i <= most; i++) {
    const grey = (255 / most) * (photometric === 'white' ? most - i : i);
    table.fill(grey, 3 * i, 3 * i + 3);
  }
  return table;
}

function palette({ directory, bits }: TiffLayout): Uint8Array {
  const count = 2 ** bits;
  const map = directory.numbers(COLOUR_MAP, 3 * count);
  if (map === undefined || map.length < 3 * count)
    throw unsupported('TIFF files of palette colour without a palette');
  // Colours have 16 bits; some old writers stored 8.
  const step = map.some((value) => value > 255) ? 256 : 1;
  const table = new Uint8Array(3 * 256);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) table[3 * i + c] = Math.floor(map[c * count + i]! / step);
  }
  return table;
}

function lookUp(bytes: Uint8Array, stride: number, table: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((bytes.length / stride) * 3);
  for (let i = 0, to = 0; i < bytes.length; i += stride) {
    const at = 3 * bytes[i]!;
    rgb[to++] = table[at]!;
    rgb[to++] = table[at + 1]!;
    rgb[to++] = table[at + 2]!;
  }
  return rgb;
}

function firstThree(bytes: Uint8Array, stride: number): Uint8Array {
  const rgb = new Uint8Array((bytes.length / stride) * 3);
  for (let i = 0, to = 0; i < bytes.length; i += stride) {
    rgb[to++] = bytes[i]!;
    rgb[to++] = bytes[i + 1]!;
    rgb[to++] = bytes[i + 2]!;
  }
  return rgb;
}

/** Divides the colours by the alpha that they were multiplied with, the last sample of `stride`, as Pillow does. */
export function unmultiply(bytes: Uint8Array, stride: number): void {
  const alphaAt = stride - 1;
  for (let i = 0; i < bytes.length; i += stride) {
    const alpha = bytes[i + alphaAt]!;
    if (alpha === 255) continue;
    for (let c = i; c < i + alphaAt; c++) {
      bytes[c] = alpha === 0 ? 0 : Math.min(255, Math.floor((255 * bytes[c]!) / alpha));
    }
  }
}

/** Units of `wide` × `high` lights and one pair of colour differences to three samples a pixel. */
export function spreadColour(data: Uint8Array, layout: TiffLayout, rows: number): Uint8Array {
  const { chunkWidth, samples } = layout;
  const [wide, high] = layout.subsampling;
  const unit = wide * high + samples - 1;
  const across = Math.ceil(chunkWidth / wide);
  const out = new Uint8Array(chunkWidth * rows * 3);
  for (let y = 0, to = 0; y < rows; y++) {
    for (let x = 0; x < chunkWidth; x++) {
      const at = (Math.floor(y / high) * across + Math.floor(x / wide)) * unit;
      out[to++] = data[at + (y % high) * wide + (x % wide)]!;
      out[to++] = data[at + wide * high]!;
      out[to++] = data[at + wide * high + 1]!;
    }
  }
  return out;
}

function ycbcrToRgb({ directory }: TiffLayout): (bytes: Uint8Array, stride: number) => Uint8Array {
  const [red = 0.299, green = 0.587, blue = 0.114] = directory.numbers(LUMA, 3) ?? [];
  const range = directory.numbers(REFERENCE_BLACK_WHITE, 6) ?? [];
  const [black = 0, white = 255, cbZero = 128, cbMost = 255, crZero = 128, crMost = 255] = range;
  const light = 255 / (white - black);
  const [cbScale, crScale] = [127 / (cbMost - cbZero), 127 / (crMost - crZero)];
  return (bytes, stride) => {
    const rgb = new Uint8ClampedArray((bytes.length / stride) * 3);
    for (let i = 0, to = 0; i < bytes.length; i += stride, to += 3) {
      const y = (bytes[i]! - black) * light;
      const cb = (bytes[i + 1]! - cbZero) * cbScale;
      const cr = (bytes[i + 2]! - crZero) * crScale;
      const r = y + (2 - 2 * red) * cr;
      const b = y + (2 - 2 * blue) * cb;
      rgb[to] = r;
      rgb[to + 1] = (y - blue * b - red * r) / green;
      rgb[to + 2] = b;
    }
    return new Uint8Array(rgb.buffer);
  };
}

/** XYZ of the light that Lab is measured under (D50) to linear sRGB (D65), by Bradford's adaptation. */
const toLinear = [
  [3.1338561, -1.6168667, -0.4906146],
  [-0.9787684, 1.9161415, 0.033454],
  [0.0719453, -0.2289914, 1.4052427],
] as const;
const whitePoint = [0.96422, 1, 0.82521] as const;

function labToRgb(bytes: Uint8Array, stride: number): Uint8Array {
  const rgb = new Uint8ClampedArray((bytes.length / stride) * 3);
  const inverse = (t: number) => (t > 6 / 29 ? t ** 3 : 3 * (6 / 29) ** 2 * (t - 4 / 29));
  for (let i = 0, to = 0; i < bytes.length; i += stride) {
    const y = ((bytes[i]! * 100) / 255 + 16) / 116;
    const a = (bytes[i + 1]! << 24) >> 24;
    const b = (bytes[i + 2]! << 24) >> 24;
    const xyz = [inverse(y + a / 500), inverse(y), inverse(y - b / 200)];
    for (const row of toLinear) {
      const linear = row.reduce((sum, weight, c) => sum + weight * xyz[c]! * whitePoint[c]!, 0);
      const value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
      rgb[to++] = 255 * value;
    }
  }
  return new Uint8Array(rgb.buffer);
}

/** `data` holds cyan, magenta, yellow, black (and more, ignored, when `channels` > 4) with 255 for full ink. */
export function cmykToRgb(data: Uint8Array, channels: number): Uint8Array {
  const pixels = data.length / channels;
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0, from = 0, to = 0; i < pixels; i++, from += channels, to += 3) {
    const light = 255 - data[from + 3]!;
    for (let c = 0; c < 3; c++) {
      const product = data[from + c]! * light + 128;
      rgb[to + c] = light - (((product >> 8) + product) >> 8);
    }
  }
  return rgb;
}
