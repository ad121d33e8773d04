/** Encoded bytes to the input of a network: decoding and preprocessing, exactly as the reference or as fast as can be. */
import sharp from 'sharp';
import { decodeImage, type DecodeOptions, decodeWithHeader } from './decode.ts';
import { decodeFailure, tryDecoding } from './failures.ts';
import { readHeader, sharpInput, sharpOptions, type ImageHeader } from './header.ts';
import { defaultLimits, type ImageLimits } from './limits.ts';
import type { RgbImage } from './pixels.ts';
import { openNormalize, openPreprocess, type Preprocessing, cropWindow } from './preprocess.ts';

/** `exact`: torchvision's result, bit for bit. `fast`: close to it, and quicker (see `decodeCrop`). */
export type PreprocessMode = 'exact' | 'fast';

export interface Prepared {
  /** As `Preprocess` returns it. */
  input: Float32Array;
  /** Milliseconds. Where decoding and resizing are one (`fast`), both count as decoding. */
  stages: { decode: number; preprocess: number };
}

/** Rejects with an ImageError. */
export type Prepare = (bytes: Uint8Array) => Promise<Prepared>;

export interface PrepareOptions extends DecodeOptions {
  preprocessing: Preprocessing;
  mode: PreprocessMode;
  /** `input` is lent until the next image is prepared in this thread: half of the garbage of a stream of images. Default: false. */
  lend?: boolean;
}

export function openPrepare({ preprocessing, mode, lend = false, ...options }: PrepareOptions): Prepare {
  const preprocess = openPreprocess(preprocessing, lend);
  const normalize = openNormalize(preprocessing, lend);
  return async (bytes) => {
    const began = performance.now();
    const { image, cropped } =
      mode === 'fast'
        ? await decodeCrop(bytes, preprocessing, options)
        : { image: await decodeImage(bytes, options), cropped: false };
    const decoded = performance.now();
    const input = cropped ? normalize(image) : preprocess(image);
    return { input, stages: { decode: decoded - began, preprocess: performance.now() - decoded } };
  };
}

/** Decoding and resizing in one go, for speed: large JPEGs are decoded at a half, a quarter or an eighth of their size. */
interface DecodedCrop {
  image: RgbImage;
  /** Whether `image` is the crop; else it is the whole image, decoded exactly. */
  cropped: boolean;
}

/** Longer side to shorter side. Beyond it the resized image is far larger than its crop, and sharp would compute it all. */
const maxAspect = 4;

/**
 * The crop that the network sees, by libvips' resize, which rounds otherwise than Pillow's: 199 of 200 photographs
 * keep their top category. What has alpha, 16 bits, ink or an extreme shape is decoded as `decodeImage` does it. Throws as
 * that does.
 */
export async function decodeCrop(
  bytes: Uint8Array,
  preprocessing: Preprocessing,
  options: DecodeOptions = {},
): Promise<DecodedCrop> {
  const limits = options.limits ?? defaultLimits;
  const header = await readHeader(bytes, limits);
  const { width, height } = header;
  if (!header.plain || Math.max(width, height) > maxAspect * Math.min(width, height)) {
    return { image: await decodeWithHeader(bytes, header, options), cropped: false };
  }
  try {
    const crop = () => cropWithSharp(bytes, header, preprocessing, limits, options);
    return { image: await tryDecoding(crop), cropped: true };
  } catch (error) {
    throw decodeFailure(error, header.format);
  }
}

async function cropWithSharp(
  bytes: Uint8Array,
  header: ImageHeader,
  preprocessing: Preprocessing,
  limits: ImageLimits,
  { autoOrient = true }: DecodeOptions,
): Promise<RgbImage> {
  const turn = autoOrient && header.orientation > 1;
  // Orientations 5 to 8 turn by a quarter.
  const onItsSide = turn && header.orientation >= 5;
  const { width, height } = header;
  const upright = onItsSide ? { width: height, height: width } : { width, height };
  const { size, window } = cropWindow(upright, preprocessing);
  const data = await sharp(sharpInput(bytes, header), { ...sharpOptions(header, limits), autoOrient: turn })
    .resize(size.width, size.height, { fit: 'fill', kernel: preprocessing.interpolation === 'bicubic' ? 'cubic' : 'linear' })
    .extract(window)
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer();
  return { data, width: window.width, height: window.height };
}
