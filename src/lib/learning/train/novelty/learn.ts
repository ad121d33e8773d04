/** Learns to tell unknown objects: statistics of the classes, and a threshold from images that the statistics have not seen. */
import type { NoveltyLayer } from '../../../models/onnx/novelty.ts';
import { areaUnderCurve } from '../../evaluate/metrics.ts';
import type { Fold } from '../head/cross-validate.ts';
import type { ViewedFeatures } from '../head/fit.ts';
import { addProduct, transposed } from '../head/product.ts';
import { cholesky, inverseOf } from '../head/whitening.ts';
import {
  distances,
  mapped,
  meansOf,
  metricOf,
  scatterOf,
  shapedRows,
  shrinkageOf,
  type Means,
  type Metric,
  type Scatter,
  type ShapedRows,
} from './statistics.ts';

export interface NoveltyTask {
  set: ViewedFeatures;
  /** The view that inference sees. */
  view: number;
  /** Images to learn from. */
  images: Int32Array;
  /** Images to calibrate the threshold on, and to learn from meanwhile. */
  folds: readonly Pick<Fold, 'images' | 'held'>[];
  /** Further images to calibrate on, from which nothing is learned, in the same views. */
  heldOut?: ViewedFeatures | undefined;
  /** Whether features are scaled to length 1: where the network has not learned how long those of known objects are. */
  isScaled: boolean;
  /** Share of known objects that may be called unknown, of 1. */
  allowed: number;
}

/** How well a class that training did not have would be told from the others. */
export interface LeftOut {
  /** Index of its label. */
  label: number;
  /** Its images, all of which were shown as unknown. */
  images: number;
  /** Share of them that is called unknown. */
  caught: number;
  /** How likely one of them has a greater novelty than a known object. */
  auroc: number;
}

export interface Novelty {
  layer: NoveltyLayer;
  /** Images that the threshold was calibrated on, and the share of them called unknown. */
  calibration: { images: number; unknown: number };
  /** Each class left out in turn, the hardest first. */
  leftOut: LeftOut[];
}

/** Why a model cannot tell unknown objects. */
export interface NoNovelty {
  reason: string;
}

/** Fewer distances have no quantile worth the name. */
const leastCalibrated = 10;
/** For a reliable threshold: a few images above it. */
export const fewCalibrated = 200;
/** Multiplications for the statistics of all images; of more, as many as that takes are used, evenly. */
const mostProducts = 2e10;
/** Likewise for fitting again without each of the classes; beyond that, a class is taken off the fit. */
const mostRefitting = 4e9;

export function learnNovelty(
  { set, view, images: given, folds, heldOut, isScaled, allowed }: NoveltyTask,
  refitting = mostRefitting,
): Novelty | NoNovelty {
  const { features, classes } = set;
  const images = thinned(given, Math.floor(mostProducts / features ** 2));
  const isExact = (classes * features ** 3) / 3 <= refitting;
  const rowsOf = (of: ViewedFeatures) =>
    shapedRows(of, { isScaled, stride: of.views * features, offset: view * features });
  const rows = rowsOf(set);
  const unseen = folds.reduce((sum, { held }) => sum + held.length, heldOut?.labels.length ?? 0);
  if (unseen < leastCalibrated) {
    return {
      reason: `too few images of a class to calibrate on (${unseen}; at least ${leastCalibrated} are needed)`,
    };
  }
  const means = meansOf(rows, images);
  const scatter = scatterOf(rows, images, means);
  const metric = metricOf(scatter, rows);
  if (metric === undefined) return { reason: 'no two images of a class differ' };
  const known = folds.flatMap((fold) => [...unseenDistances(rows, fold)]);
  if (heldOut) known.push(...unseenBy({ metric, means }, rowsOf(heldOut)));
  const threshold = quantile(known, allowed);
  const unknown = known.filter((distance) => distance >= threshold).length / known.length;
  const all = { rows, images, means, scatter, metric };
  return {
    layer: { isScaled, ...layerOf(metric, means, threshold) },
    calibration: { images: known.length, unknown },
    leftOut: leaveOut(all, isExact ? refitted : takenOff, known, threshold),
  };
}

/** Of the held images, to the classes of the others. */
function unseenDistances(rows: ShapedRows, { images, held }: Pick<Fold, 'images' | 'held'>): Float64Array {
  const means = meansOf(rows, images);
  const metric = metricOf(scatterOf(rows, images, means), rows);
  if (metric === undefined) return new Float64Array();
  return distances(mapped(metric, picked(rows, held)), mappedMeans(metric, means), rows.features);
}

function unseenBy(
  { metric, means }: { metric: Metric; means: Means },
  { data, features }: ShapedRows,
): Float64Array {
  return distances(mapped(metric, data), mappedMeans(metric, means), features);
}

function mappedMeans(metric: Metric, { values, counts }: Means): Means {
  return { values: mapped(metric, values), counts };
}

function picked({ data, features }: ShapedRows, images: Int32Array): Float64Array {
  const out = new Float64Array(images.length * features);
  for (const [i, image] of images.entries()) {
    out.set(data.subarray(image * features, (image + 1) * features), i * features);
  }
  return out;
}

/**
 * Above all but `allowed` of the distances, as one more would have it: of n, the ⌈(n + 1)(1 − allowed)⌉th (the largest where
 * there are too few).
 */
export function quantile(known: readonly number[], allowed: number): number {
  const sorted = known.toSorted((a, b) => a - b);
  const rank = Math.min(known.length, Math.ceil((known.length + 1) * (1 - allowed)));
  return sorted[rank - 1]! * (1 + roundingRoom);
}

/** So that the image that made the threshold is known in float32, too. */
const roundingRoom = 1e-4;

function layerOf(
  { features, inverse }: Metric,
  { values, counts }: Means,
  threshold: number,
): Omit<NoveltyLayer, 'isScaled'> {
  const present = [...counts.keys()].filter((c) => counts[c]! > 0);
  const map = new Float32Array(features * features);
  for (let k = 0; k < features; k++) {
    for (let j = 0; j <= k; j++) map[j * features + k] = inverse[k * features + j]! / threshold;
  }
  const middle = new Float64Array(features);
  for (const c of present) {
    for (let j = 0; j < features; j++) middle[j]! += values[c * features + j]! / present.length;
  }
  const offset = mapped({ features, inverse }, middle).map((value) => -value / threshold);
  const centred = new Float64Array(present.length * features);
  for (const [i, c] of present.entries()) {
    for (let j = 0; j < features; j++) centred[i * features + j] = values[c * features + j]! - middle[j]!;
  }
  const centres = mapped({ features, inverse }, centred).map((value) => value / threshold);
  return {
    features,
    classes: present.length,
    map,
    offset: Float32Array.from(offset),
    centres: Float32Array.from(centres),
  };
}

interface Everything {
  rows: ShapedRows;
  images: Int32Array;
  means: Means;
  scatter: Scatter;
  metric: Metric;
}

/** Of the images `own` of a class to the nearest of the others, as if the class had not been there. */
type DistancesWithout = (all: Everything, own: Int32Array, label: number) => Float64Array | undefined;

/** `known`: distances of known objects. */
function leaveOut(
  all: Everything,
  distancesWithout: DistancesWithout,
  known: readonly number[],
  threshold: number,
): LeftOut[] {
  const { images, means, rows } = all;
  const found: LeftOut[] = [];
  if (means.counts.filter((count) => count > 0).length < 2) return found;
  for (let label = 0; label < rows.classes; label++) {
    const own = images.filter((image) => rows.labels[image] === label);
    const unknown = own.length === 0 ? undefined : distancesWithout(all, own, label);
    if (unknown === undefined) continue;
    found.push({
      label,
      images: own.length,
      caught: unknown.filter((distance) => distance >= threshold).length / own.length,
      auroc: areaUnderCurve(known, [...unknown]),
    });
  }
  return found.sort((a, b) => a.auroc - b.auroc);
}

function refitted(
  { rows, means, scatter }: Everything,
  own: Int32Array,
  label: number,
): Float64Array | undefined {
  const { features } = rows;
  const counts = means.counts.map((count, c) => (c === label ? count : 0));
  const its = scatterOf(rows, own, { values: means.values, counts });
  const products = scatter.products.map((sum, i) => sum - its.products[i]!);
  const metric = metricOf({ products, freedom: scatter.freedom - its.freedom }, rows);
  return metric && distances(mapped(metric, picked(rows, own)), mappedMeans(metric, means), features, label);
}

/**
 * The same without a fit, but that a little more is taken to be alike in all directions. By what the class's own images v add to the
 * covariance, (I − vᵀv)⁻¹ = I + vᵀ(I − vvᵀ)⁻¹v (Woodbury): as many more coordinates as it has images.
 */
function takenOff(
  { rows, means, scatter, metric }: Everything,
  own: Int32Array,
  label: number,
): Float64Array | undefined {
  const { features, classes } = rows;
  const { freedom } = scatter;
  const count = own.length;
  if (freedom <= count - 1) return undefined;
  const at = mapped(metric, picked(rows, own));
  const { values: centres, counts } = mappedMeans(metric, means);
  const weight = Math.sqrt((1 - shrinkageOf(freedom, rows)) / freedom);
  const v = at.map((value, i) => weight * (value - centres[label * features + (i % features)]!));
  const products = new Float64Array(count * count);
  addProduct(v, v, products, [count, count, features]);
  const rest = products.map((value, i) => (i % (count + 1) === 0 ? 1 : 0) - value);
  const coordinates = new Float64Array(count * features);
  const inverse = inverseOf(cholesky(rest, count), count);
  addProduct(inverse, transposed(v, count, features), coordinates, [count, features, count]);
  const extended = (points: Float64Array, length: number) => {
    const more = new Float64Array(length * count);
    addProduct(points, coordinates, more, [length, count, features]);
    const out = new Float64Array(length * (features + count));
    for (let i = 0; i < length; i++) {
      out.set(points.subarray(i * features, (i + 1) * features), i * (features + count));
      out.set(more.subarray(i * count, (i + 1) * count), i * (features + count) + features);
    }
    return out;
  };
  const others = { values: extended(centres, classes), counts };
  const scale = Math.sqrt((freedom - (count - 1)) / freedom);
  return distances(extended(at, count), others, features + count, label).map((distance) => scale * distance);
}

function thinned(images: Int32Array, most: number): Int32Array {
  if (images.length <= most) return images;
  return Int32Array.from({ length: most }, (_, i) => images[Math.floor((i * images.length) / most)]!);
}
