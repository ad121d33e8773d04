/** Encoded images to 8-bit RGB pixels, with the values Pillow's `convert("RGB")` gives (deviations: see decodeImage). */
import sharp from 'sharp';
import { corrupt, decodeFailure, tryDecoding } from './failures.ts';
import { cmykToRgb } from './formats/tiff/colour.ts';
import { readHeader, sharpInput, sharpOptions, type ImageHeader } from './header.ts';
import { defaultLimits, type ImageLimits } from './limits.ts';
import { isOwn, ownFormats } from './own-decoders.ts';
import { orient } from './pixels.ts';
import type { RgbImage } from './pixels.ts';

export interface DecodeOptions {
  limits?: ImageLimits;
  /** Turn the image upright by its EXIF orientation. Default: true. */
  autoOrient?: boolean;
}

/**
 * Decodes the first frame. Alpha is dropped without blending, colour profiles are ignored, 16-bit samples keep their high
 * byte (Pillow clips 16-bit grey to white). Throws an ImageError; limits are checked on the header, before pixels are
 * allocated.
 */
export async function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): Promise<RgbImage> {
  const header = await readHeader(bytes, options.limits ?? defaultLimits);
  return decodeWithHeader(bytes, header, options);
}

/** The same with a header that has been read, and held against the limits, already. */
export async function decodeWithHeader(
  bytes: Uint8Array,
  header: ImageHeader,
  options: DecodeOptions,
): Promise<RgbImage> {
  const limits = options.limits ?? defaultLimits;
  const turn = (options.autoOrient ?? true) && header.orientation > 1;
  const image = isOwn(header.format)
    ? await ownFormats[header.format].decode(bytes, limits)
    : await decodeBySharp(bytes, header, turn && header.sharpTurns, limits);
  return turn && !header.sharpTurns ? orient(image, header.orientation) : image;
}

async function decodeBySharp(
  bytes: Uint8Array,
  header: ImageHeader,
  autoOrient: boolean,
  limits: ImageLimits,
): Promise<RgbImage> {
  try {
    return await tryDecoding(() => decodeWithSharp(bytes, header, autoOrient, limits));
  } catch (error) {
    throw decodeFailure(error, header.format);
  }
}

async function decodeWithSharp(
  bytes: Uint8Array,
  header: ImageHeader,
  autoOrient: boolean,
  limits: ImageLimits,
): Promise<RgbImage> {
  const space = header.cmyk ? 'cmyk' : 'srgb';
  let pipeline = sharp(sharpInput(bytes, header), {
    ...sharpOptions(header, limits),
    autoOrient,
  }).toColourspace(space);
  // Without a pipeline colourspace sharp would convert CMYK through a profile of its own.
  pipeline = header.cmyk ? pipeline.pipelineColourspace('cmyk') : pipeline.removeAlpha();
  const { data, info } = await pipeline.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  if (header.cmyk && channels >= 4) return { data: cmykToRgb(data, channels), width, height };
  if (channels !== 3) throw corrupt(header.format, `${channels} channels`);
  return { data, width, height };
}
