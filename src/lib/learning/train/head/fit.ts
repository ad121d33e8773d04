/** Fits a head to features: whitens them, minimises, and folds both into the weights. */
import { minimize } from './lbfgs.ts';
import { fitness, SoftmaxObjective, type Fitness } from './objective.ts';
import { unwhiten, whiten, whitened, whiteningOf, type LabelledRows } from './whitening.ts';

/** A linear classifier of features as they come out of the network. */
export interface Head {
  classes: number;
  features: number;
  /** `classes` rows of `features` weights, then `classes` biases. */
  values: Float64Array;
}

/** Images with several rows of features each. */
export interface ViewedFeatures {
  /** Image by image, its views one after the other. */
  data: Float32Array;
  features: number;
  views: number;
  /** The class of each image. */
  labels: Int32Array;
  classes: number;
}

export interface FitOptions {
  /** Images to learn from. */
  images: Int32Array;
  /** Which views of each; the first is what inference sees. */
  views: readonly number[];
  /** Of the L2 norm, on whitened features of variance 1 in the mean. */
  penalty: number;
  start?: Head | undefined;
  maxIterations?: number;
  /** As `minimize` takes them. */
  tolerance?: number;
  leastGain?: number;
  stopped?: () => boolean;
}

export function fitHead(set: ViewedFeatures, options: FitOptions): Head {
  const { classes, features } = set;
  const {
    images,
    views,
    penalty,
    start,
    stopped,
    maxIterations = 200,
    tolerance = 1e-6,
    leastGain,
  } = options;
  // By the first view alone, so that a fit with more views can start from one with fewer.
  const whitening = whiteningOf(rowsOf(set, images, [views[0]!]), classes);
  const rows = rowsOf(set, images, views);
  const ready = { ...rows, data: whitened(rows, whitening), rows: Int32Array.from(rows.rows.keys()) };
  const objective = new SoftmaxObjective(ready, classes, penalty);
  const from = start ? whiten(start.values, classes, whitening) : new Float64Array(objective.size);
  const { at } = minimize(objective, from, {
    tolerance,
    maxIterations,
    ...(leastGain !== undefined && { leastGain }),
    ...(stopped && { stopped }),
  });
  return { classes, features, values: unwhiten(at, classes, whitening) };
}

/** On the view that inference sees. */
export function judgeHead(head: Head, set: ViewedFeatures, images: Int32Array, view: number): Fitness {
  return fitness(rowsOf(set, images, [view]), head.values, head.classes);
}

function rowsOf(set: ViewedFeatures, images: Int32Array, views: readonly number[]): LabelledRows {
  const rows = new Int32Array(images.length * views.length);
  const labels = new Int32Array(rows.length);
  for (let i = 0, to = 0; i < images.length; i++) {
    for (const view of views) {
      rows[to] = images[i]! * set.views + view;
      labels[to++] = set.labels[images[i]!]!;
    }
  }
  return { data: set.data, features: set.features, rows, labels };
}
