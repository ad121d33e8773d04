/** Whether a file is built as its format asks, to its last byte: markers, parts and their sums, lengths. No pixel is unpacked. */
import { crc32 } from 'node:zlib';
import { corrupt, truncated } from './failures.ts';
import { bmpEnd, readBmpHeader } from './formats/bmp.ts';
import { gifFrameEnds, readGifHeader } from './formats/gif.ts';
import { readTiffLayout } from './formats/tiff/read-layout.ts';
import { checkBytes, checkPixels, type ImageLimits } from './limits.ts';
import type { ImageFormat } from './sniff.ts';

/**
 * Throws an ImageError where the structure is not whole, in time that grows with the bytes alone. It is stricter than decoders,
 * which show some files that break their format's rules: what it refuses is for one of them to judge.
 */
export function checkStructure(bytes: Uint8Array, format: ImageFormat, limits: ImageLimits): void {
  checkBytes(bytes.length, limits);
  const { width, height } = sizeIfWhole[format](bytes, limits);
  checkPixels(width, height, limits);
}

interface Size {
  width: number;
  height: number;
}

const sizeIfWhole: Record<ImageFormat, (bytes: Uint8Array, limits: ImageLimits) => Size> = {
  jpeg: walkJpeg,
  png: walkPng,
  webp: walkWebp,
  gif(bytes) {
    const header = readGifHeader(bytes);
    if (!gifFrameEnds(bytes, header)) throw truncated('gif');
    return header;
  },
  bmp(bytes) {
    const header = readBmpHeader(bytes);
    if (bytes.length < bmpEnd(header)) throw truncated('bmp');
    return header;
  },
  tiff: readTiffLayout,
};

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;

/** From marker to marker, over the packed pixels behind each scan, to the end marker. */
function walkJpeg(file: Uint8Array): Size {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length);
  let size: Size | undefined;
  let scans = 0;
  for (let at = 2; ;) {
    at = nextMarker(bytes, at);
    const marker = bytes[at - 1]!;
    if (marker === EOI) break;
    if (marker === SOI) throw corrupt('jpeg', 'another image begins inside of it');
    if (at + 2 > bytes.length) throw truncated('jpeg');
    const length = (bytes[at]! << 8) | bytes[at + 1]!;
    const end = at + length;
    if (length < 2) throw corrupt('jpeg', `a part of ${length} bytes`);
    if (end > bytes.length) throw truncated('jpeg');
    if (isFrame(marker)) {
      if (size !== undefined) throw corrupt('jpeg', 'two headers');
      if (length < 8) throw corrupt('jpeg', 'its header is damaged');
      size = { height: (bytes[at + 3]! << 8) | bytes[at + 4]!, width: (bytes[at + 5]! << 8) | bytes[at + 6]! };
    }
    if (marker === SOS) {
      if (size === undefined) throw corrupt('jpeg', 'pixels without a header');
      scans++;
    }
    at = end;
  }
  // A height that stands behind the pixels is rare, and not read by everybody.
  if (size === undefined || size.width === 0 || size.height === 0) throw corrupt('jpeg', 'it has no size');
  if (scans === 0) throw truncated('jpeg');
  return size;
}

/** Behind the next marker that is one of a structure: no byte of pixels (`FF 00`), no restart, no padding. */
function nextMarker(bytes: Buffer, start: number): number {
  for (let at = bytes.indexOf(0xff, start); at !== -1 && at + 1 < bytes.length; ) {
    const marker = bytes[at + 1]!;
    if (marker !== 0 && marker !== 0xff && !(marker >= 0xd0 && marker <= 0xd7) && marker !== 0x01) return at + 2;
    // A search costs more than a look, where one byte follows another.
    at = marker === 0xff || bytes[at + 2] === 0xff ? at + (marker === 0xff ? 1 : 2) : bytes.indexOf(0xff, at + 2);
  }
  throw truncated('jpeg');
}

/** A frame header of any kind of JPEG: not a table of codes, an extension or arithmetic conditioning, which stand between. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

/** Parts that are looked at: more than any writer makes. */
const maxParts = 100_000;

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const name = (text: string) => Buffer.from(text, 'latin1').readUInt32BE();

const PNG_SIGNATURE = 8;
/** Length, name and checksum of a chunk. */
const PNG_FRAME = 12;
const [IHDR, IDAT, IEND] = [name('IHDR'), name('IDAT'), name('IEND')];

function walkPng(bytes: Uint8Array): Size {
  const view = viewOf(bytes);
  let size: Size | undefined;
  let pixels = false;
  let parts = 0;
  for (let at = PNG_SIGNATURE; ;) {
    if (++parts > maxParts) throw corrupt('png', `it has more than ${maxParts} parts`);
    if (at + PNG_FRAME > bytes.length) throw truncated('png');
    const length = view.getUint32(at);
    const end = at + PNG_FRAME + length;
    if (end > bytes.length) throw truncated('png');
    if (crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4)) {
      throw corrupt('png', 'a part of it is damaged');
    }
    const kind = view.getUint32(at + 4);
    if (kind === IEND) break;
    if (size === undefined) {
      if (kind !== IHDR || length < 8) throw corrupt('png', 'its header is damaged');
      size = { width: view.getUint32(at + 8), height: view.getUint32(at + 12) };
    }
    pixels ||= kind === IDAT;
    at = end;
  }
  if (size === undefined || size.width === 0 || size.height === 0) throw corrupt('png', 'it has no size');
  if (!pixels) throw truncated('png');
  return size;
}

const RIFF_HEADER = 12;
const RIFF_CHUNK = 8;
const [VP8, VP8L, VP8X, ANMF] = [name('VP8 '), name('VP8L'), name('VP8X'), name('ANMF')];

function walkWebp(bytes: Uint8Array): Size {
  const view = viewOf(bytes);
  if (bytes.length < RIFF_HEADER) throw truncated('webp');
  const end = view.getUint32(4, true) + RIFF_CHUNK;
  if (end > bytes.length) throw truncated('webp');
  let size: Size | undefined;
  let pixels = false;
  let parts = 0;
  for (let at = RIFF_HEADER; at + RIFF_CHUNK <= end;) {
    if (++parts > maxParts) throw corrupt('webp', `it has more than ${maxParts} parts`);
    const kind = view.getUint32(at);
    const length = view.getUint32(at + 4, true);
    const start = at + RIFF_CHUNK;
    if (start + length > end) throw truncated('webp');
    const chunk = new DataView(bytes.buffer, bytes.byteOffset + start, length);
    if (kind === VP8 || kind === VP8L || kind === ANMF) pixels = true;
    if (kind === VP8 || kind === VP8L || kind === VP8X) size ??= webpSize(kind, chunk);
    at = start + length + (length & 1);
  }
  if (size === undefined) throw corrupt('webp', 'it has no size');
  if (!pixels) throw truncated('webp');
  return size;
}

function webpSize(kind: number, chunk: DataView): Size {
  if (chunk.byteLength < 10) throw truncated('webp');
  if (kind === VP8X) {
    const canvas = (at: number) => 1 + (chunk.getUint16(at, true) | (chunk.getUint8(at + 2) << 16));
    return { width: canvas(4), height: canvas(7) };
  }
  if (kind === VP8) {
    return { width: chunk.getUint16(6, true) & 0x3fff, height: chunk.getUint16(8, true) & 0x3fff };
  }
  const sides = chunk.getUint32(1, true);
  return { width: 1 + (sides & 0x3fff), height: 1 + ((sides >>> 14) & 0x3fff) };
}
