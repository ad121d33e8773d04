/** One step of training, and one of judging, on a batch. */
import type { Preprocessing } from '../../../models/images/preprocess.ts';
import {
  colourChange,
  randomBox,
  randomColourChange,
  samplingBox,
  type Box,
  type ColourChange,
} from './augment.ts';
import { forward } from './differentiate.ts';
import { nextAverages } from './normalisation.ts';
import type { Operations } from './operations.ts';
import type { Optimizer, TrainingState } from './optimizer.ts';
import type { Recipe } from './options.ts';
import { joined, parts, type ParameterLayout } from './parameters.ts';
import type { Batch, PixelSource } from './source.ts';
import type { Tensor, TensorFlow } from './tensorflow.ts';

/** Sums over a batch. */
export interface Tally {
  images: number;
  /** Of the images' cross-entropies. */
  loss: number;
  right: number;
}

export interface Trainer {
  tf: TensorFlow;
  operations: Operations;
  layout: ParameterLayout;
  classes: number;
  preprocessing: Preprocessing;
  recipe: Recipe;
  optimizer: Optimizer;
}

/** Frees the tensors of `state` and returns the next ones. `random` decides crops, colours and dropout. */
export function trainStep(
  { tf, operations, layout, classes, preprocessing, recipe, optimizer }: Trainer,
  state: TrainingState,
  source: PixelSource,
  batch: Batch,
  random: () => number,
  { rate, step }: { rate: number; step: number },
): { state: TrainingState; tally: Tally } {
  const count = batch.indices.length;
  const { augmentation, labelSmoothing } = recipe;
  const boxes = batch.indices.map((index) => randomBox(random, augmentation, source.aspect(index)));
  const colours = batch.indices.map(() => randomColourChange(random, preprocessing, augmentation));
  const options = { classes, normalise: true };
  const { vector, slots, averages, scores, losses } = tf.tidy(() => {
    const images = cropped(tf, batch, source.side, preprocessing.crop, boxes);
    const weights = parts(tf, state.vector, layout);
    const dropout = dropoutMask(tf, recipe.dropout, count, preprocessing.crop, random);
    const pass = forward(tf, operations, weights, coloured(tf, images, colours), options, dropout);
    const targets = tf.tensor(smoothed(batch.labels, classes, labelSmoothing), [count, classes]);
    const losses = tf.mul(tf.sum(tf.mul(targets, tf.logSoftmax(pass.scores)), [1]), -1);
    const difference = tf.mul(tf.sub(tf.softmax(pass.scores), targets), 1 / count);
    const gradient = joined(tf, pass.backward(difference), layout);
    const moved = optimizer.next(state, gradient, rate, step);
    const averages = nextAverages(tf, state.averages, pass.statistics, layout, step);
    return { ...moved, averages, scores: pass.scores, losses };
  });
  tf.dispose([state.vector, ...state.slots, state.averages]);
  const tally = tallyOf(batch.labels, classes, scores.dataSync(), losses.dataSync());
  tf.dispose([scores, losses]);
  return { state: { vector, slots, averages }, tally };
}

/** The same preprocessing as inference: `batch` holds the very crops. */
export function judgeStep(
  { tf, operations, layout, classes, preprocessing }: Trainer,
  vector: Tensor,
  batch: Batch,
): Tally {
  const { crop } = preprocessing;
  const count = batch.indices.length;
  const { scores, losses } = tf.tidy(() => {
    const images = tf.tensor(batch.pixels, [count, crop, crop, 3]);
    const colours = batch.indices.map(() => colourChange(preprocessing, {}));
    const weights = parts(tf, vector, layout);
    const { scores } = forward(tf, operations, weights, coloured(tf, images, colours), { classes });
    const targets = tf.tensor(smoothed(batch.labels, classes, 0), [count, classes]);
    return { scores, losses: tf.mul(tf.sum(tf.mul(targets, tf.logSoftmax(scores)), [1]), -1) };
  });
  const tally = tallyOf(batch.labels, classes, scores.dataSync(), losses.dataSync());
  tf.dispose([scores, losses]);
  return tally;
}

function cropped(tf: TensorFlow, batch: Batch, side: number, size: number, boxes: Box[]): Tensor {
  const count = boxes.length;
  const images = tf.tensor(batch.pixels, [count, side, side, 3]);
  const places = boxes.flatMap((box) => samplingBox(box, side, size));
  const of = Int32Array.from({ length: count }, (_, i) => i);
  const crops = tf.image.cropAndResize(
    images,
    tf.tensor(Float32Array.from(places), [count, 4]),
    tf.tensor(of, [count], 'int32'),
    [size, size],
    'bilinear',
    0,
  );
  images.dispose();
  return crops;
}

function coloured(tf: TensorFlow, images: Tensor, colours: readonly ColourChange[]): Tensor {
  const count = colours.length;
  const matrices = Float32Array.from(colours.flatMap(({ matrix }) => [...matrix]));
  const offsets = Float32Array.from(colours.flatMap(({ offset }) => [...offset]));
  const mixed = tf.matMul(tf.reshape(images, [count, -1, 3]), tf.tensor(matrices, [count, 3, 3]));
  const moved = tf.add(mixed, tf.tensor(offsets, [count, 1, 3]));
  mixed.dispose();
  images.dispose();
  return tf.reshape(moved, images.shape);
}

/** The classifier's inputs that stay, scaled so that their sum stays the same on average. */
function dropoutMask(
  tf: TensorFlow,
  rate: number,
  count: number,
  crop: number,
  random: () => number,
): Tensor | undefined {
  if (rate === 0) return undefined;
  const side = outputSide(crop);
  const shape = [count, side, side, 512];
  const mask = new Float32Array(count * side * side * 512);
  const threshold = Math.round(rate * 256);
  const scale = 256 / (256 - threshold);
  for (let i = 0; i < mask.length;) {
    // Four decisions of a number: drawing takes most of the time.
    let bits = Math.floor(random() * 2 ** 32);
    for (const end = Math.min(i + 4, mask.length); i < end; i++, bits >>>= 8) {
      if ((bits & 255) >= threshold) mask[i] = scale;
    }
  }
  return tf.tensor(mask, shape);
}

/** What the first convolution and three poolings leave of a side. */
function outputSide(crop: number): number {
  let side = crop;
  for (let i = 0; i < 4; i++) side = Math.floor((side - 3) / 2) + 1;
  return side;
}

function smoothed(labels: readonly number[], classes: number, share: number): Float32Array {
  const targets = new Float32Array(labels.length * classes).fill(share / classes);
  for (const [i, label] of labels.entries()) targets[i * classes + label]! += 1 - share;
  return targets;
}

function tallyOf(
  labels: readonly number[],
  classes: number,
  scores: Float32Array,
  losses: Float32Array,
): Tally {
  let right = 0;
  for (const [i, label] of labels.entries()) {
    const row = scores.subarray(i * classes, (i + 1) * classes);
    if (row.every((score, c) => c === label || score < row[label]!)) right++;
  }
  return { images: labels.length, loss: losses.reduce((sum, loss) => sum + loss, 0), right };
}
