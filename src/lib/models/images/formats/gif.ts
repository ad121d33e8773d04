/**
 * The first frame of a GIF file to RGB pixels. libvips fills what is missing, and reads every frame before it shows one;
 * here the file is walked up to the end of the first frame, whose pixels must all be there.
 */
import { corrupt, truncated } from '../failures.ts';
import type { RgbImage } from '../pixels.ts';
import { unpackLzw } from './lzw.ts';

export interface GifHeader {
  /** Of the screen, made larger where the frame reaches over it. */
  width: number;
  height: number;
  frame: { left: number; top: number; width: number; height: number };
  interlaced: boolean;
  /** RGB triples, as many as the file has; undefined: each index is a grey. */
  palette: Uint8Array | undefined;
  /** The index of what the frame leaves free. */
  background: number;
  /** Where the packed pixels start: the size of their codes, then blocks. */
  offset: number;
}

const SCREEN = 13;
const EXTENSION = 0x21;
const IMAGE = 0x2c;
const TRAILER = 0x3b;
const GRAPHIC_CONTROL = 0xf9;
const FRAME = 10;

/** Reads everything before the pixels of the first frame. Throws an ImageError. */
export function readGifHeader(bytes: Uint8Array): GifHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const byte = (at: number) => {
    if (at >= bytes.length) throw truncated('gif');
    return bytes[at]!;
  };
  const paletteAt = (at: number, flags: number) => {
    if ((flags & 0x80) === 0) return undefined;
    const length = 3 << ((flags & 7) + 1);
    if (at + length > bytes.length) throw truncated('gif');
    return bytes.subarray(at, at + length);
  };
  if (bytes.length < SCREEN) throw truncated('gif');
  const shared = paletteAt(SCREEN, bytes[10]!);
  let at = SCREEN + (shared?.length ?? 0);
  let background = 0;
  for (;;) {
    const kind = byte(at++);
    if (kind === IMAGE) break;
    if (kind === TRAILER) throw corrupt('gif', 'it contains no image');
    if (kind !== EXTENSION) continue; // padding between blocks
    const label = byte(at++);
    // Transparency: flags, two bytes of delay, the index.
    if (label === GRAPHIC_CONTROL && byte(at) >= 4 && (byte(at + 1) & 1) === 1) background = byte(at + 4);
    for (let length = byte(at); length > 0; length = byte(at)) at += 1 + length;
    at++;
  }
  if (at + FRAME - 1 > bytes.length) throw truncated('gif');
  const [left, top] = [view.getUint16(at, true), view.getUint16(at + 2, true)];
  const frame = { left, top, width: view.getUint16(at + 4, true), height: view.getUint16(at + 6, true) };
  const width = Math.max(view.getUint16(6, true), left + frame.width);
  const height = Math.max(view.getUint16(8, true), top + frame.height);
  if (frame.width === 0 || frame.height === 0) {
    throw corrupt('gif', `a picture of ${frame.width}×${frame.height} pixels`);
  }
  const flags = bytes[at + 8]!;
  const own = paletteAt(at + 9, flags);
  return {
    width,
    height,
    frame,
    interlaced: (flags & 0x40) !== 0,
    palette: own ?? shared,
    background,
    offset: at + 9 + (own?.length ?? 0),
  };
}

/** Whether the blocks of the first frame are there, to the empty one that ends them. */
export function gifFrameEnds(bytes: Uint8Array, { offset }: GifHeader): boolean {
  for (let at = offset + 1; at < bytes.length; at += 1 + bytes[at]!) if (bytes[at] === 0) return true;
  return false;
}

/** Decodes a GIF whose header the caller has held against the limits. Throws an ImageError. */
export function decodeGif(bytes: Uint8Array): RgbImage {
  const header = readGifHeader(bytes);
  const { width, height, frame } = header;
  const indices = new Uint8Array(frame.width * frame.height);
  unpackFrame(bytes, header.offset, indices);
  const table = colours(header.palette);
  const data = new Uint8Array(width * height * 3);
  const put = (index: number, at: number) => {
    data[at] = table[3 * index]!;
    data[at + 1] = table[3 * index + 1]!;
    data[at + 2] = table[3 * index + 2]!;
  };
  if (frame.width < width || frame.height < height) {
    for (let at = 0; at < data.length; at += 3) put(header.background, at);
  }
  const rows = header.interlaced ? interlacedRows(frame.height) : undefined;
  for (let y = 0, from = 0; y < frame.height; y++) {
    let at = 3 * ((frame.top + (rows?.[y] ?? y)) * width + frame.left);
    for (let x = 0; x < frame.width; x++, at += 3) put(indices[from++]!, at);
  }
  return { data, width, height };
}

/** Transparent pixels have the colour that the palette gives them, as in a PNG; what is beyond the palette is black. */
function colours(palette: Uint8Array | undefined): Uint8Array {
  if (palette === undefined) return Uint8Array.from({ length: 3 * 256 }, (_, i) => Math.floor(i / 3));
  const table = new Uint8Array(3 * 256);
  table.set(palette);
  return table;
}

function unpackFrame(bytes: Uint8Array, offset: number, indices: Uint8Array): void {
  const literalBits = bytes[offset];
  if (literalBits === undefined) throw truncated('gif');
  if (literalBits < 1 || literalBits > 11) throw corrupt('gif', `codes of ${literalBits} bits`);
  const packed = joinBlocks(bytes, offset + 1);
  const outcome = unpackLzw(packed, indices, { literalBits, highBitsFirst: false, early: 0 });
  if (outcome === 'short') throw truncated('gif');
  if (outcome === 'broken') throw corrupt('gif', 'its pixels are damaged');
}

/** The blocks of one frame, up to the empty one or to one that the file does not hold whole. */
function joinBlocks(bytes: Uint8Array, start: number): Uint8Array {
  const whole = (at: number) => {
    const length = bytes[at] ?? 0;
    return at + length < bytes.length ? length : 0;
  };
  let total = 0;
  for (let at = start; whole(at) > 0; at += 1 + bytes[at]!) total += bytes[at]!;
  const joined = new Uint8Array(total);
  for (let at = start, to = 0; to < total; at += 1 + bytes[at]!) {
    joined.set(bytes.subarray(at + 1, at + 1 + bytes[at]!), to);
    to += bytes[at]!;
  }
  return joined;
}

/** Which row each stored row is: every eighth, the ones between them, then every fourth, every second. */
function interlacedRows(height: number): Uint32Array {
  const rows = new Uint32Array(height);
  let i = 0;
  for (const [first, step] of [
    [0, 8],
    [4, 8],
    [2, 4],
    [1, 2],
  ] as const) {
    for (let row = first; row < height; row += step) rows[i++] = row;
  }
  return rows;
}
