/** What an image may cost: limits on its file and its pixels, checked before anything is decoded, and on the work it makes. */
import { ImageError } from '../../base/errors.ts';

export interface ImageLimits {
  /** Largest encoded file, in bytes. */
  maxBytes: number;
  /** Largest width × height, in pixels of the (first) frame. */
  maxPixels: number;
  /**
   * Most work that decoding and classifying may take, in milliseconds of a processor's time. Held by the processes that do it
   * (`src/lib/sandbox/`). Default: ten seconds.
   */
  maxWorkMs?: number;
}

export const defaultLimits: ImageLimits = { maxBytes: 64 * 2 ** 20, maxPixels: 50e6 };
export const defaultMaxWorkMs = 10_000;

/** Largest width and largest height, in pixels: what JPEG can express. */
const maxSide = 65_535;

/** Throws `too_large` when a file of this many bytes exceeds the limit. */
export function checkBytes(bytes: number, limits: ImageLimits): void {
  if (bytes <= limits.maxBytes) return;
  throw new ImageError(
    `the file is ${mebibytes(bytes)} MiB; the limit is ${mebibytes(limits.maxBytes)} MiB`,
    {
      code: 'too_large',
      hint: 'Save it smaller, or raise VISIONSCALE_MAX_IMAGE_BYTES.',
    },
  );
}

/** Throws `too_many_pixels` when the header announces more than the limits allow. */
export function checkPixels(width: number, height: number, limits: ImageLimits): void {
  if (width * height <= limits.maxPixels && Math.max(width, height) <= maxSide) return;
  const limit = `${limits.maxPixels / 1e6} megapixels and ${maxSide} pixels a side`;
  throw new ImageError(
    `the image is ${width}×${height} pixels, more than the limit of ${limit} (a pixel bomb?)`,
    {
      code: 'too_many_pixels',
      hint: 'Scale it down, or raise VISIONSCALE_MAX_IMAGE_PIXELS.',
    },
  );
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
