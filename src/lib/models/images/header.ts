/** The header of an image: its size and what decoding must know, read without decoding any pixel. */
import sharp, { type SharpOptions } from 'sharp';
import { decodeFailure } from './failures.ts';
import { inspectPng } from './formats/png.ts';
import { firstWebpFrame } from './formats/webp.ts';
import { checkBytes, checkPixels, type ImageLimits } from './limits.ts';
import { xmpOrientation } from './orientation.ts';
import { isOwn, ownFormats, type OwnFormatName } from './own.ts';
import { sniffImage, type SniffedImage } from './sniff.ts';
import { tryDecoding } from './try-decoding.ts';

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
