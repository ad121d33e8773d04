/** What training changes about an image each time it sees it: a crop, a flip, the colours a little. */
import type { Preprocessing } from '../../../models/images/preprocess.ts';

export interface Augmentation {
  /** Smallest share of the image's area that a crop leaves; the largest is all of it. */
  minArea: number;
  /** Half of the images are mirrored. */
  flip: boolean;
  /** Each is multiplied by up to 1 ± this. The hue stays: it may be what the classes differ in. */
  brightness: number;
  contrast: number;
  saturation: number;
}

/** Longest side to shortest of a crop. */
const maxAspect = 4 / 3;
const fullyIn = 10;

/** A rectangle of the image in shares of its sides, right less than left where it is mirrored. */
export type Box = readonly [top: number, left: number, bottom: number, right: number];

/** torchvision's RandomResizedCrop and flip. `aspect` is the image's width to height. */
export function randomBox(random: () => number, { minArea, flip }: Augmentation, aspect: number): Box {
  let box: Box = [0, 0, 1, 1];
  for (let tries = 0; tries < fullyIn; tries++) {
    const area = minArea + (1 - minArea) * random();
    const shape = Math.exp((2 * random() - 1) * Math.log(maxAspect)); // of the crop in the image's own pixels
    const width = Math.sqrt((area * shape) / aspect);
    const height = Math.sqrt((area * aspect) / shape);
    if (width > 1 || height > 1) continue;
    const left = (1 - width) * random();
    const top = (1 - height) * random();
    box = [top, left, top + height, left + width];
    break;
  }
  if (!flip || random() < 0.5) return box;
  return [box[0], box[3], box[2], box[1]];
}

/**
 * As TensorFlow's CropAndResize wants it: the centres of the first and the last pixel, in shares of the distance between the
 * source's first and last centre. `side`: of the source; `size`: of the crop, in pixels.
 */
export function samplingBox([top, left, bottom, right]: Box, side: number, size: number): Box {
  const centres = (from: number, to: number) => {
    const step = ((to - from) * side) / size;
    const inside = (at: number) => Math.min(1, Math.max(0, at / (side - 1)));
    return [inside(from * side + step / 2 - 0.5), inside(to * side - step / 2 - 0.5)] as const;
  };
  const [firstRow, lastRow] = centres(top, bottom);
  const [firstColumn, lastColumn] = centres(left, right);
  return [firstRow, firstColumn, lastRow, lastColumn];
}

/** What the channels become, from 0 to 255 to the network's: `pixel · matrix + offset`, row by row. */
export interface ColourChange {
  matrix: Float32Array;
  offset: Float32Array;
}

const luma = [0.299, 0.587, 0.114] as const;
const middle = 127.5;

/** Brightness, contrast (around the middle grey), saturation and the network's normalisation in one. */
export function colourChange(
  { mean, std }: Pick<Preprocessing, 'mean' | 'std'>,
  { brightness = 1, contrast = 1, saturation = 1 },
): ColourChange {
  const matrix = new Float32Array(9);
  const offset = new Float32Array(3);
  for (let to = 0; to < 3; to++) {
    const scale = 1 / (255 * std[to]!);
    for (let from = 0; from < 3; from++) {
      const mixed = (1 - saturation) * luma[from]! + (from === to ? saturation : 0);
      matrix[from * 3 + to] = brightness * contrast * mixed * scale;
    }
    offset[to] = (1 - contrast) * middle * scale - mean[to]! / std[to]!;
  }
  return { matrix, offset };
}

export function randomColourChange(
  random: () => number,
  normalisation: Pick<Preprocessing, 'mean' | 'std'>,
  { brightness, contrast, saturation }: Augmentation,
): ColourChange {
  const around = (most: number) => 1 + most * (2 * random() - 1);
  return colourChange(normalisation, {
    brightness: around(brightness),
    contrast: around(contrast),
    saturation: around(saturation),
  });
}
