/** The header of an image: its size and what decoding must know, read without decoding any pixel. */
import sharp, { type SharpOptions } from 'sharp';
import { readBmpHeader } from './bmp.ts';
import { decodeFailure } from './failures.ts';
import { checkBytes, checkPixels, type ImageLimits } from './limits.ts';
import { sniffImage, type SniffedImage } from './sniff.ts';

// A stream of images never sees the same one twice, and the cores are kept busy by one thread per image.
sharp.cache(false);
sharp.concurrency(1);

export interface ImageHeader extends SniffedImage {
  /** Pixels as stored, before EXIF orientation is applied. */
  width: number;
  height: number;
  cmyk: boolean;
  /** Eight-bit samples of grey or red, green and blue, and nothing else: no alpha, no ink. */
  plain: boolean;
  /** EXIF orientation, 1 to 8; 1 where there is none. */
  orientation: number;
}

/** Sniffs, reads the header and holds both against the limits. Throws an ImageError. */
export async function readHeader(bytes: Uint8Array, limits: ImageLimits): Promise<ImageHeader> {
  checkBytes(bytes.length, limits);
  const sniffed = await sniffImage(bytes);
  const header = sniffed.format === 'bmp' ? bmpHeader(bytes) : await sharpHeader(bytes, sniffed);
  checkPixels(header.width, header.height, limits);
  return { ...sniffed, ...header };
}

/** How sharp opens a file of this format: the first frame, pixel values as stored, errors where data is missing. */
export function sharpOptions(sniffed: SniffedImage, limits?: ImageLimits): SharpOptions {
  return {
    ignoreIcc: true,
    pages: sniffed.format === 'gif' || sniffed.format === 'webp' || sniffed.format === 'tiff' ? 1 : undefined,
    // libtiff reports missing strips as errors, not as truncation; elsewhere 'error' rejects what other readers show.
    failOn: sniffed.format === 'tiff' ? 'error' : 'truncated',
    limitInputPixels: limits?.maxPixels ?? false,
  };
}

function bmpHeader(bytes: Uint8Array) {
  const { width, height } = readBmpHeader(bytes);
  return { width, height, cmyk: false, plain: false, orientation: 1 };
}

async function sharpHeader(bytes: Uint8Array, sniffed: SniffedImage) {
  try {
    const found = await sharp(bytes, sharpOptions(sniffed)).metadata();
    const { width, height, space, depth, hasAlpha, orientation = 1 } = found;
    const plain = (space === 'srgb' || space === 'b-w') && depth === 'uchar' && !hasAlpha;
    return { width, height, cmyk: space === 'cmyk', plain, orientation };
  } catch (error) {
    throw decodeFailure(error, sniffed.format);
  }
}
