/** Images that the tests make themselves. */
import { createHash } from 'node:crypto';
import sharp, { type Sharp } from 'sharp';
import type { RgbImage } from '../../src/lib/models/images/pixels.ts';

/** A pattern in which every pixel and every channel differs from its neighbours. */
export function pattern(width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      data[at] = x * 7 + y * 13;
      data[at + 1] = x * x + 3 * y;
      data[at + 2] = x * y * 5 + 17;
    }
  }
  return { data, width, height };
}

/** The same as a sharp image, to be encoded. */
export function asSharp({ data, width, height }: RgbImage): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/** A JPEG of one colour. */
export function plainJpeg(colour: string, side = 32): Promise<Buffer> {
  return sharp({ create: { width: side, height: side, channels: 3, background: colour } })
    .jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
    .toBuffer();
}

/** The first 16 hex digits of SHA-256. */
export function shortDigest(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex').slice(0, 16);
}

/** The error a promise is rejected with; fails when it is not. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('was not rejected');
    },
    (error: unknown) => error,
  );
}
