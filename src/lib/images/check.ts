/** Whether a file is an image this system can classify, at a third less than the price of decoding it. */
import sharp from 'sharp';
import { decodeBmp } from './bmp.ts';
import { decodeFailure } from './failures.ts';
import { readHeader, sharpOptions } from './header.ts';
import { defaultLimits, type ImageLimits } from './limits.ts';
import type { ImageFormat } from './sniff.ts';

export interface CheckedImage {
  format: ImageFormat;
  contentType: string;
  /** Pixels as stored, before EXIF orientation is applied. */
  width: number;
  height: number;
}

/** Sniffs, reads the header, holds both against the limits and decodes to the end. Throws an ImageError. */
export async function checkImage(
  bytes: Uint8Array,
  limits: ImageLimits = defaultLimits,
): Promise<CheckedImage> {
  const header = await readHeader(bytes, limits);
  const { format, contentType, width, height } = header;
  if (format === 'bmp') {
    decodeBmp(bytes);
    return { format, contentType, width, height };
  }
  const image = sharp(bytes, sharpOptions(header, limits));
  // JPEG and PNG are read from the top: asking for the last row decodes all and keeps one row in memory. TIFF would skip
  // to the last strip; GIF and WebP decode whole frames anyway.
  if (format === 'jpeg' || format === 'png') image.extract({ left: 0, top: height - 1, width, height: 1 });
  try {
    await image.raw().toBuffer();
  } catch (error) {
    throw decodeFailure(error, format);
  }
  return { format, contentType, width, height };
}
