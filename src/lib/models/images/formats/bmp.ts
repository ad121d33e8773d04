/** BMP files to RGB pixels: sharp reads none, and the npm decoders tried were wrong on 4-bit, 16-bit and RLE files. */
import { corrupt, truncated, unsupported } from '../failures.ts';
import type { RgbImage } from '../pixels.ts';

export interface BmpHeader {
  width: number;
  height: number;
  topDown: boolean;
  bitsPerPixel: number;
  compression: number;
  /** RGB triples, 256 of them; black where the file gives none. */
  palette: Uint8Array;
  /** Red, green and blue bit masks of 16- and 32-bit pixels. */
  masks: readonly [number, number, number];
  /** Where the pixels start in the file. */
  offset: number;
}

const RGB = 0;
const RLE8 = 1;
const RLE4 = 2;
const BITFIELDS = 3;
const ALPHA_BITFIELDS = 6;
const readable = new Map([
  [1, [RGB]],
  [4, [RGB, RLE4]],
  [8, [RGB, RLE8]],
  [16, [RGB, BITFIELDS, ALPHA_BITFIELDS]],
  [24, [RGB, BITFIELDS]],
  [32, [RGB, BITFIELDS, ALPHA_BITFIELDS]],
]);
const FILE_HEADER = 14;
const CORE_HEADER = 12; // OS/2 1.x
const OS2_HEADER = 64; // OS/2 2.x, whose compression codes from 3 mean something else

/** Reads and checks everything before the pixels. Throws an ImageError. */
export function readBmpHeader(bytes: Uint8Array): BmpHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < FILE_HEADER + CORE_HEADER) throw truncated('bmp');
  const size = view.getUint32(14, true);
  const core = size === CORE_HEADER;
  if (!core && ![16, 40, 52, 56, OS2_HEADER, 108, 124].includes(size))
    throw corrupt('bmp', `header of ${size} bytes`);
  if (bytes.length < FILE_HEADER + size) throw truncated('bmp');

  const width = core ? view.getUint16(18, true) : view.getInt32(18, true);
  const height = core ? view.getUint16(20, true) : view.getInt32(22, true);
  const bitsPerPixel = view.getUint16(core ? 24 : 28, true);
  const compression = size >= 40 ? view.getUint32(30, true) : RGB;
  if (width <= 0 || height === 0) throw corrupt('bmp', `${width}×${height} pixels`);
  const known = readable.get(bitsPerPixel)?.includes(compression) ?? false;
  if (!known || (size === OS2_HEADER && compression > RLE4)) {
    throw unsupported(`bmp files of ${bitsPerPixel} bits with compression ${compression}`);
  }

  // A 40-byte header is followed by its masks, larger ones contain them: the same place.
  const masked = compression === BITFIELDS || compression === ALPHA_BITFIELDS;
  const maskBytes = !masked || size > 40 ? 0 : compression === BITFIELDS ? 12 : 16;
  const paletteStart = FILE_HEADER + size + maskBytes;
  if (bytes.length < paletteStart) throw truncated('bmp');
  const usual =
    bitsPerPixel === 16 ? ([0x7c00, 0x03e0, 0x001f] as const) : ([0xff0000, 0xff00, 0xff] as const);
  const given = masked
    ? ([view.getUint32(54, true), view.getUint32(58, true), view.getUint32(62, true)] as const)
    : usual;
  // Some writers announce masks and leave them empty.
  const masks = given.every((mask) => mask === 0) ? usual : given;
  if (bitsPerPixel === 24 && masks.some((mask, i) => mask !== usual[i])) {
    throw unsupported(`bmp files of 24 bits with other masks than usual`);
  }

  const announced = size >= 40 ? view.getUint32(46, true) : 0;
  const colours = bitsPerPixel > 8 ? 0 : announced || 2 ** bitsPerPixel;
  if (colours > 256) throw corrupt('bmp', `a palette of ${colours} colours`);
  const entry = core ? 3 : 4;
  const palette = new Uint8Array(3 * 256);
  for (let i = 0, at = paletteStart; i < Math.min(colours, 256) && at + 3 <= bytes.length; i++, at += entry) {
    palette.set([bytes[at + 2]!, bytes[at + 1]!, bytes[at]!], 3 * i);
  }
  const pixels = paletteStart + colours * entry;
  const told = view.getUint32(10, true);
  // Some writers forget the palette when they say where the pixels are, or say nothing.
  const offset = told === 0 || (told === FILE_HEADER + size && bitsPerPixel <= 8) ? pixels : told;
  return {
    width,
    height: Math.abs(height),
    topDown: height < 0,
    bitsPerPixel,
    compression,
    palette,
    masks,
    offset,
  };
}

/** Bytes of a row, and from one to the next. */
function rowsOf({ width, bitsPerPixel }: BmpHeader) {
  const rowBytes = Math.ceil((width * bitsPerPixel) / 8);
  return { rowBytes, stride: Math.ceil(rowBytes / 4) * 4 };
}

/** Where the pixels end at the earliest. */
export function bmpEnd(header: BmpHeader): number {
  const { compression, offset, height } = header;
  if (compression === RLE8 || compression === RLE4) return offset + 2;
  const { rowBytes, stride } = rowsOf(header);
  return offset + stride * (height - 1) + rowBytes;
}

/** Decodes a BMP whose header the caller has held against the limits. Alpha is dropped. Throws an ImageError. */
export function decodeBmp(bytes: Uint8Array): RgbImage {
  const header = readBmpHeader(bytes);
  const { width, height, offset } = header;
  if (header.compression === RLE8 || header.compression === RLE4) {
    const indices = decodeBmpRle(bytes, header);
    return { data: paletteToRgb(indices, header.palette), width, height };
  }
  if (bytes.length < bmpEnd(header)) throw truncated('bmp');
  const { stride } = rowsOf(header);
  const data = new Uint8Array(width * height * 3);
  const decodeRow = rowDecoder(bytes, header);
  for (let y = 0; y < height; y++) {
    const stored = header.topDown ? y : height - 1 - y;
    decodeRow(offset + stored * stride, data.subarray(y * width * 3, (y + 1) * width * 3));
  }
  return { data, width, height };
}

type RowDecoder = (at: number, row: Uint8Array) => void;

function rowDecoder(bytes: Uint8Array, { bitsPerPixel, palette, masks }: BmpHeader): RowDecoder {
  if (bitsPerPixel <= 8) {
    const mask = 2 ** bitsPerPixel - 1;
    return (at, row) => {
      for (let i = 0, bit = 0; i < row.length; i += 3, bit += bitsPerPixel) {
        const index = (bytes[at + (bit >> 3)]! >> (8 - bitsPerPixel - (bit & 7))) & mask;
        row.set(palette.subarray(3 * index, 3 * index + 3), i);
      }
    };
  }
  if (bitsPerPixel === 24) {
    return (at, row) => {
      for (let i = 0; i < row.length; i += 3, at += 3) {
        row[i] = bytes[at + 2]!;
        row[i + 1] = bytes[at + 1]!;
        row[i + 2] = bytes[at]!;
      }
    };
  }
  const [red, green, blue] = [channel(masks[0]), channel(masks[1]), channel(masks[2])];
  const wide = bitsPerPixel === 32;
  return (at, row) => {
    for (let i = 0; i < row.length; i += 3, at += wide ? 4 : 2) {
      const low = bytes[at]! | (bytes[at + 1]! << 8);
      const pixel = wide ? (low | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0 : low;
      row[i] = red(pixel);
      row[i + 1] = green(pixel);
      row[i + 2] = blue(pixel);
    }
  };
}

/** The masked bits of a pixel, scaled to 0 to 255. */
function channel(mask: number): (pixel: number) => number {
  if (mask === 0) return () => 0;
  const shift = 31 - Math.clz32(mask & -mask);
  const most = mask >>> shift;
  if (most === 255) return (pixel) => (pixel & mask) >>> shift;
  return (pixel) => Math.floor((((pixel & mask) >>> shift) * 255) / most);
}

function paletteToRgb(indices: Uint8Array, palette: Uint8Array): Uint8Array {
  const data = new Uint8Array(indices.length * 3);
  for (let i = 0, at = 0; i < indices.length; i++) {
    const from = 3 * indices[i]!;
    data[at++] = palette[from]!;
    data[at++] = palette[from + 1]!;
    data[at++] = palette[from + 2]!;
  }
  return data;
}

/** Run-length encoded BMP pixels (RLE8, RLE4) to palette indices, top row first. */
interface RleImage {
  width: number;
  height: number;
  topDown: boolean;
  bitsPerPixel: number;
  offset: number;
}

const END_OF_LINE = 0;
const END_OF_BITMAP = 1;
const DELTA = 2;

/**
 * Pixels that the file skips by a delta are index 0, and so is the rest of a line; pixels beyond a line or the image are
 * dropped. Lines that the file ends without, or passes over, are missing. Throws `truncated`.
 */
function decodeBmpRle(bytes: Uint8Array, image: RleImage): Uint8Array {
  const { width, height, topDown } = image;
  const nibbles = image.bitsPerPixel === 4;
  const indices = new Uint8Array(width * height);
  let at = image.offset;
  let x = 0;
  let line = 0;
  const next = () => {
    const byte = bytes[at++];
    if (byte === undefined) throw truncated('bmp');
    return byte;
  };
  const put = (index: number) => {
    if (x < width) indices[(topDown ? line : height - 1 - line) * width + x] = index;
    x++;
  };
  const complete = () => line >= height || (line === height - 1 && x >= width);
  while (!complete()) {
    const count = next();
    const value = next();
    if (count > 0) {
      for (let i = 0; i < count; i++) put(nibbles ? nibble(value, i) : value);
    } else if (value === END_OF_LINE) {
      if (x === 0) throw truncated('bmp');
      x = 0;
      line++;
    } else if (value === END_OF_BITMAP) {
      throw truncated('bmp');
    } else if (value === DELTA) {
      x += next();
      line += next();
    } else {
      let byte = 0;
      for (let i = 0; i < value; i++) {
        if (!nibbles || i % 2 === 0) byte = next();
        put(nibbles ? nibble(byte, i) : byte);
      }
      const read = nibbles ? (value + 1) >> 1 : value;
      at += read % 2; // literal runs are padded to two bytes
    }
  }
  return indices;
}

function nibble(byte: number, i: number): number {
  return i % 2 === 0 ? byte >> 4 : byte & 15;
}
