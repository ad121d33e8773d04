/** What a head learns from: the features that SqueezeNet without its classifier finds in several views of an image. */
import { inSharedMemory } from '../../../models/format/model-files.ts';
import type { RgbImage } from '../../../models/images/pixels.ts';
import { cropWindow, openNormalize, type Preprocessing } from '../../../models/images/preprocess.ts';
import { resizeWindow } from '../../../models/images/resize.ts';
import { serializeOnnx } from '../../../models/onnx/onnx.ts';
import { buildSqueezeNet11, type SqueezeNetWeights } from '../../../models/onnx/squeezenet.ts';

/** Features of an image: the means of the last fire module's channels over all positions. */
export const featureCount = 512;

/**
 * The mean of a 1×1 convolution is the convolution of the mean: so a head trained on these features is, as the last
 * convolution and without the ReLU behind it, the same function. Here that convolution is the identity, which leaves an
 * ordinary SqueezeNet that every engine executes.
 */
export function featureNetwork(parent: SqueezeNetWeights, inputSize: number): Uint8Array {
  const weights: SqueezeNetWeights = new Map(parent);
  const identity = new Float32Array(featureCount * featureCount);
  for (let i = 0; i < featureCount; i++) identity[i * featureCount + i] = 1;
  weights.set('classifier.1.weight', { dims: [featureCount, featureCount, 1, 1], data: identity });
  weights.set('classifier.1.bias', { dims: [featureCount], data: new Float32Array(featureCount) });
  return inSharedMemory(serializeOnnx(buildSqueezeNet11(weights, { finalRelu: false, inputSize })));
}

// The views of an image: as inference would see it, nearer and nearer, each also mirrored.

/**
 * How much larger than for its parent an image is made before the middle is cut out of it. How near is best depends on the
 * photographs, and cross-validation chooses: on grocery photographs 1.25 instead of 1 has 72 instead of 69 of 100 right.
 * (Parts by chance in changed colours were tried too, and brought nothing there.)
 */
export const zooms: readonly number[] = [1, 1.125, 1.25, 1.4];

/** What the features of an image take on the disk, at most. */
export const featureBytes = 2 * zooms.length * featureCount * Float32Array.BYTES_PER_ELEMENT + 32;

/** Row of a zoom (its index) among the features of an image. */
export function viewOf(zoom: number, isMirrored: boolean): number {
  return 2 * zoom + (isMirrored ? 1 : 0);
}

/** How inference is to see images at a zoom (its index). */
export function zoomed(preprocessing: Preprocessing, zoom: number): Preprocessing {
  return { ...preprocessing, resize: Math.round(preprocessing.resize * zooms[zoom]!) };
}

/** Inputs of the network, one after the other: the first `count` views. */
export function openViews(
  preprocessing: Preprocessing,
): (image: RgbImage, count: number) => Generator<Float32Array, void> {
  const normalize = openNormalize(preprocessing);
  return function* (image, count) {
    for (let zoom = 0; viewOf(zoom, false) < count; zoom++) {
      const { size, window } = cropWindow(image, zoomed(preprocessing, zoom));
      const seen = resizeWindow(image, size, window);
      yield normalize(seen);
      if (viewOf(zoom, true) < count) yield normalize(mirrored(seen));
    }
  };
}

function mirrored({ data, width, height }: RgbImage): RgbImage {
  const out = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = width - 1; x >= 0; x--, to += 3) {
      const from = (y * width + x) * 3;
      out[to] = data[from]!;
      out[to + 1] = data[from + 1]!;
      out[to + 2] = data[from + 2]!;
    }
  }
  return { data: out, width, height };
}
