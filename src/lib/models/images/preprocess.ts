/** RGB pixels to the input of a network, as torchvision's Resize, CenterCrop, ToTensor and Normalize do it. */
import { Layout, withKernels } from './kernels.ts';
import type { RgbImage } from './pixels.ts';
import { type Interpolation, resizeWindow, type Window } from './resize.ts';

/** How a model wants its images; part of its manifest. */
export interface Preprocessing {
  /** The shorter side is resized to this many pixels; the longer side in proportion, truncated. */
  resize: number;
  /** Width and height of the centre crop that the network sees, in pixels. At most `resize`. */
  crop: number;
  /** Per channel (red, green, blue), of values between 0 and 1. */
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
  /** Default: bilinear. */
  interpolation?: Interpolation | undefined;
  /** Both sides are resized to `resize`, whatever the shape; default: the longer one keeps its proportion. */
  squash?: boolean | undefined;
  /** Where an odd margin is halved: `floor` as Hugging Face's processors; default: half to even, as torchvision. */
  cropOffset?: 'floor' | undefined;
}

/** torchvision's transform of every ImageNet network, `squeezenet1_1` among them. */
export const imagenetPreprocessing: Preprocessing = {
  resize: 256,
  crop: 224,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/** Float32 values in the order channel, row, column (one image of an NCHW batch). */
export type Preprocess = (image: RgbImage) => Float32Array;

export function openPreprocess(preprocessing: Preprocessing, lend = false): Preprocess {
  const normalize = openNormalize(preprocessing, lend);
  return (image) => {
    const { size, window } = cropWindow(image, preprocessing);
    return normalize(resizeWindow(image, size, window, preprocessing.interpolation));
  };
}

/** The last step alone: of an image that is the crop already. What it lends is the caller's until any image is preprocessed next. */
export function openNormalize({ crop, mean, std }: Preprocessing, lend = false): Preprocess {
  const pixels = crop ** 2;
  const layout = new Layout();
  const [from, to] = [layout.take(3 * pixels), layout.take(3 * 4 * pixels)];
  return ({ data }) =>
    withKernels(layout, (kernels, memory) => {
      new Uint8Array(memory).set(data, from);
      kernels.normalize(from, pixels, to, ...mean, ...std);
      const input = new Float32Array(memory, to, 3 * pixels);
      return lend ? input : input.slice();
    });
}

/** The size to resize to and the window of it that the centre crop leaves. */
export function cropWindow(
  image: { width: number; height: number },
  { resize, crop, squash = false, cropOffset }: Preprocessing,
) {
  const { width, height } = image;
  const size = squash
    ? { width: resize, height: resize }
    : width <= height
      ? { width: resize, height: Math.trunc((resize * height) / width) }
      : { width: Math.trunc((resize * width) / height), height: resize };
  const round = cropOffset === 'floor' ? Math.floor : roundHalfEven;
  const left = round((size.width - crop) / 2);
  const top = round((size.height - crop) / 2);
  const window: Window = { left, top, width: crop, height: crop };
  return { size, window };
}

/** Python's `round`: one pixel of difference in the crop changes the top category of 6 % of photographs. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
