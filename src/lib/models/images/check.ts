/** Whether a file is an image this system can classify, at a third less than the price of decoding it. */
import sharp from 'sharp';
import { decodeFailure, tryDecoding } from './failures.ts';
import { readHeader, sharpInput, sharpOptions } from './header.ts';
import { defaultLimits, type ImageLimits } from './limits.ts';
import { isOwn, ownFormats } from './own-decoders.ts';
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
  if (isOwn(format)) {
    await ownFormats[format].decode(bytes, limits);
    return { format, contentType, width, height };
  }
  try {
    await tryDecoding(() => {
      const image = sharp(sharpInput(bytes, header), sharpOptions(header, limits));
      // JPEG and PNG are read from the top: asking for the last row decodes all and keeps one row in memory. WebP
      // decodes whole frames anyway.
      if (format !== 'webp') image.extract({ left: 0, top: height - 1, width, height: 1 });
      return image.raw().toBuffer();
    });
  } catch (error) {
    throw decodeFailure(error, format);
  }
  return { format, contentType, width, height };
}
