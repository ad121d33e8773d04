/** What is kept of an image: for training a square of all of it, for judging the very crop that inference sees. */
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { decodeImage, decodeWithHeader, type DecodeOptions } from '../../../models/images/decode.ts';
import { decodeFailure } from '../../../models/images/failures.ts';
import { readHeader, sharpInput, sharpOptions } from '../../../models/images/header.ts';
import { defaultLimits } from '../../../models/images/limits.ts';
import { cropWindow, type Preprocessing } from '../../../models/images/preprocess.ts';
import { resizeWindow } from '../../../models/images/resize.ts';
import { tryDecoding } from '../../../models/images/try-decoding.ts';

/** Beside the pixels, the width of the image to its height: the square has lost it. */
export interface Square {
  pixels: Uint8Array;
  aspect: number;
}

/** The whole image, squeezed into a square of `side` pixels. Throws an ImageError. */
export async function squareOf(path: string, side: number, options: DecodeOptions = {}): Promise<Square> {
  const bytes = await readFile(path);
  const limits = options.limits ?? defaultLimits;
  const header = await readHeader(bytes, limits);
  const size = { width: side, height: side };
  if (!header.plain) {
    const image = await decodeWithHeader(bytes, header, options);
    const { data } = resizeWindow(image, size, { ...size, left: 0, top: 0 });
    return { pixels: data, aspect: image.width / image.height };
  }
  const turn = (options.autoOrient ?? true) && header.orientation > 1;
  const aspect = header.width / header.height;
  try {
    const pixels = await tryDecoding(() =>
      sharp(sharpInput(bytes, header), { ...sharpOptions(header, limits), autoOrient: turn })
        .resize(side, side, { fit: 'fill', kernel: 'linear' })
        .toColourspace('srgb')
        .raw({ depth: 'uchar' })
        .toBuffer(),
    );
    return { pixels, aspect: turn && header.orientation >= 5 ? 1 / aspect : aspect };
  } catch (error) {
    throw decodeFailure(error, header.format);
  }
}

/** The crop that inference sees, before it is normalised. Throws an ImageError. */
export async function cropOf(
  path: string,
  preprocessing: Preprocessing,
  options: DecodeOptions = {},
): Promise<Uint8Array> {
  const image = await decodeImage(await readFile(path), options);
  const { size, window } = cropWindow(image, preprocessing);
  return resizeWindow(image, size, window).data;
}
