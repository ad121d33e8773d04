/** Encoded bytes to the input of a network: decoding and preprocessing, exactly as the reference or as fast as can be. */
import { decodeCrop } from './decode-crop.ts';
import { decodeImage, type DecodeOptions } from './decode.ts';
import { openNormalize, openPreprocess, type Preprocessing } from './preprocess.ts';

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
}

/** Builds the tables once; the function returned is called for every image. */
export function openPrepare({ preprocessing, mode, ...options }: PrepareOptions): Prepare {
  const preprocess = openPreprocess(preprocessing);
  const normalize = openNormalize(preprocessing);
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
