/** What a head learns from: the features that a network without its last layer finds in several views of an image. */
import { inSharedMemory } from '../../../models/format/model-files.ts';
import type { RgbImage } from '../../../models/images/pixels.ts';
import { cropWindow, openNormalize, type Preprocessing } from '../../../models/images/preprocess.ts';
import { resizeWindow } from '../../../models/images/resize.ts';
import { headFeatures, identityLayer, withHead } from '../../../models/onnx/head.ts';
import { type OnnxModel, serializeOnnx } from '../../../models/onnx/onnx.ts';

/** A network that answers with what another one's last layer takes, and how many values that are. */
export interface FeatureNetwork {
  /** An ONNX file. */
  weights: Uint8Array;
  features: number;
}

/**
 * The mean of a 1×1 convolution is the convolution of the mean: so a head trained on these features is, as the last layer and
 * without what bounds the scores behind it, the same function. Here that layer is the identity, which leaves a graph of the
 * parent's own operators that every engine executes. Throws `model_invalid`.
 */
export function featureNetwork(parent: OnnxModel): FeatureNetwork {
  const features = headFeatures(parent);
  return { weights: inSharedMemory(serializeOnnx(withHead(parent, identityLayer(features)))), features };
}

// The views of an image: as inference would see it, nearer and nearer, each also mirrored.

/**
 * How much larger than for its parent an image is made before the middle is cut out of it. How near is best depends on the
 * photographs, and cross-validation chooses: on grocery photographs 1.25 instead of 1 has 72 instead of 69 of 100 right.
 * (Parts by chance in changed colours were tried too, and brought nothing there.)
 */
export const zooms: readonly number[] = [1, 1.125, 1.25, 1.4];

/** What the features of an image take on the disk, at most. */
export function featureBytes(features: number): number {
  return 2 * zooms.length * features * Float32Array.BYTES_PER_ELEMENT + 32;
}

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
      const seen = resizeWindow(image, size, window, preprocessing.interpolation);
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
