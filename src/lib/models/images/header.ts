/** The header of an image: its size and what decoding must know, read without decoding any pixel. */
import { crc32 } from 'node:zlib';
import sharp, { type SharpOptions } from 'sharp';
import { decodeFailure, tryDecoding, corrupt, truncated } from './failures.ts';
import { checkBytes, checkPixels, type ImageLimits } from './limits.ts';
import { xmpOrientation, exifOrientation, isProfile, profileOrientation } from './orientation.ts';
import { isOwn, ownFormats, type OwnFormatName } from './own-decoders.ts';
import { sniffImage, type SniffedImage } from './sniff.ts';

// A stream of images never sees the same one twice, and the cores are kept busy by one thread per image.
sharp.cache(false);
sharp.concurrency(1);

export interface ImageHeader extends SniffedImage {
  /** Pixels as stored, before EXIF orientation is applied. */
  width: number;
  height: number;
  cmyk: boolean;
  /** Read by sharp, in eight-bit samples of grey or red, green and blue, and nothing else: no alpha, no ink. */
  plain: boolean;
  /** As EXIF numbers them, 1 to 8; 1 where there is none. */
  orientation: number;
  /** Whether sharp turns the image by itself when it is told to. */
  sharpTurns: boolean;
}

/** Sniffs, reads the header and holds both against the limits. Throws an ImageError. */
export async function readHeader(bytes: Uint8Array, limits: ImageLimits): Promise<ImageHeader> {
  checkBytes(bytes.length, limits);
  const sniffed = await sniffImage(bytes);
  const { format } = sniffed;
  const header = isOwn(format) ? ownHeader(format, bytes, limits) : await sharpHeader(bytes, sniffed);
  checkPixels(header.width, header.height, limits);
  return { ...sniffed, ...header };
}

/** What sharp is given of a file: all of it, or the first frame. */
export function sharpInput(bytes: Uint8Array, { format }: SniffedImage): Uint8Array {
  return format === 'webp' ? firstWebpFrame(bytes) : bytes;
}

/** How sharp opens a file of this format: the first frame, pixel values as stored, errors where data is missing. */
export function sharpOptions(sniffed: SniffedImage, limits?: ImageLimits): SharpOptions {
  return {
    ignoreIcc: true,
    pages: sniffed.format === 'webp' ? 1 : undefined,
    // 'error' would reject what other readers show.
    failOn: 'truncated',
    limitInputPixels: limits?.maxPixels ?? false,
  };
}

function ownHeader(format: OwnFormatName, bytes: Uint8Array, limits: ImageLimits) {
  const { width, height, orientation } = ownFormats[format].header(bytes, limits);
  return { width, height, orientation, sharpTurns: false, cmyk: false, plain: false };
}

async function sharpHeader(bytes: Uint8Array, sniffed: SniffedImage) {
  try {
    const png = sniffed.format === 'png' ? inspectPng(bytes) : undefined;
    const found = await tryDecoding(() =>
      sharp(sharpInput(bytes, sniffed), sharpOptions(sniffed)).metadata(),
    );
    const { width, height, space, depth, hasAlpha } = found;
    const elsewhere = png?.orientation ?? xmpOrientation(found.xmpAsString ?? '');
    const orientation = found.orientation ?? elsewhere ?? 1;
    const sharpTurns = found.orientation !== undefined || orientation === 1;
    const simple = (space === 'srgb' || space === 'b-w') && depth === 'uchar' && !hasAlpha;
    return { width, height, cmyk: space === 'cmyk', plain: simple && sharpTurns, orientation, sharpTurns };
  } catch (error) {
    throw decodeFailure(error, sniffed.format);
  }
}

const SIGNATURE = 8;
/** Length, name and checksum of a chunk. */
const FRAME = 12;
/** Texts that hold EXIF; writers make one. */
const maxProfiles = 4;

/**
 * What libpng does not tell of a PNG file: parts cut off, damaged descriptions, EXIF behind the pixels. Hops from chunk to
 * chunk; pixels are not looked at. Throws an ImageError.
 */
function inspectPng(bytes: Uint8Array): { orientation: number | undefined } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let orientation: number | undefined;
  let pixels = false;
  let profiles = 0;
  for (let at = SIGNATURE; at + FRAME <= bytes.length;) {
    const length = view.getUint32(at);
    const name = Buffer.from(bytes.subarray(at + 4, at + 8)).toString('latin1');
    const end = at + FRAME + length;
    if (name === 'IEND') break;
    if (end > bytes.length) {
      if (pixels && name !== 'IDAT') break; // what is missing is no pixel
      throw truncated('png');
    }
    pixels ||= name === 'IDAT';
    if (!pixels && crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4)) {
      throw corrupt('png', `its ${JSON.stringify(name)} part is damaged`);
    }
    const data = bytes.subarray(at + 8, end - 4);
    if (name === 'eXIf') orientation = exifOrientation(data) ?? orientation;
    if ((name === 'tEXt' || name === 'zTXt') && isProfile(data) && profiles++ < maxProfiles) {
      orientation ??= profileOrientation(data, name === 'zTXt');
    }
    at = end;
  }
  return { orientation };
}

const RIFF = 12;
const CHUNK = 8;
/** Parts that are looked at: more than any animation has. What is described behind them is not seen. */
const maxChunks = 100_000;
const kept = ['VP8X', 'ICCP', 'ANIM', 'EXIF', 'XMP '];

/**
 * The first frame of an animated WebP as a file of its own, for libwebp's time grows with the square of the frames; the bytes
 * themselves where there are not several. Throws an ImageError where an animation was cut off.
 */
export function firstWebpFrame(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const name = (at: number) => Buffer.from(bytes.subarray(at, at + 4)).toString('latin1');
  if (bytes.length < RIFF + CHUNK || name(RIFF) !== 'VP8X') return bytes;
  const end = view.getUint32(4, true) + CHUNK;
  const parts: Uint8Array[] = [];
  let frames = 0;
  let chunks = 0;
  for (let at = RIFF; at + CHUNK <= Math.min(end, bytes.length);) {
    if (++chunks > maxChunks) {
      if (frames === 0) throw corrupt('webp', `it has more than ${maxChunks} parts before its first frame`);
      break;
    }
    const length = view.getUint32(at + 4, true);
    const next = at + CHUNK + length + (length & 1);
    const frame = name(at) === 'ANMF';
    if ((frame && frames++ === 0) || kept.includes(name(at))) parts.push(bytes.subarray(at, next));
    at = next;
  }
  if (frames < 2) return bytes;
  if (end > bytes.length) throw truncated('webp');
  const file = Buffer.concat([bytes.subarray(0, RIFF), ...parts]);
  file.writeUInt32LE(file.length - CHUNK, 4);
  return file;
}
