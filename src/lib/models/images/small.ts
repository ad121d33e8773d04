/** Images made small: for thumbnails, and to compare what they show. */
import sharp, { type Sharp } from 'sharp';
import { decodeWithHeader } from './decode.ts';
import { decodeFailure } from './failures.ts';
import { readHeader, sharpInput, sharpOptions } from './header.ts';
import { defaultLimits, type ImageLimits } from './limits.ts';
import { isOwn } from './own-decoders.ts';

/** A JPEG that fits into a square of `side` pixels. Throws an ImageError. */
export async function thumbnail(
  bytes: Uint8Array,
  side: number,
  limits: ImageLimits = defaultLimits,
): Promise<Buffer> {
  return small(bytes, limits, (image) =>
    image
      .resize(side, side, { fit: 'inside', withoutEnlargement: true })
      .flatten({ background: '#ffffff' })
      .jpeg({ quality: 72, mozjpeg: true })
      .toBuffer(),
  );
}

/** `width` × `height` pixels of red, green and blue, row by row, whatever the shape of the image. Throws an ImageError. */
export async function smallPixels(
  bytes: Uint8Array,
  width: number,
  height: number,
  limits: ImageLimits = defaultLimits,
): Promise<Uint8Array> {
  return small(bytes, limits, (image) =>
    image.resize(width, height, { fit: 'fill' }).removeAlpha().raw({ depth: 'uchar' }).toBuffer(),
  );
}

async function small<T>(
  bytes: Uint8Array,
  limits: ImageLimits,
  make: (image: Sharp) => Promise<T>,
): Promise<T> {
  const header = await readHeader(bytes, limits);
  try {
    if (isOwn(header.format) || !header.sharpTurns) {
      const { data, width, height } = await decodeWithHeader(bytes, header, { limits });
      return await make(sharp(data, { raw: { width, height, channels: 3 } }));
    }
    return await make(
      sharp(sharpInput(bytes, header), { ...sharpOptions(header, limits), autoOrient: true }).toColourspace(
        'srgb',
      ),
    );
  } catch (error) {
    throw decodeFailure(error, header.format);
  }
}
