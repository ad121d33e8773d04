/** What a head minimises: the mean cross-entropy of softmax scores and an L2 penalty on its weights, with the gradient. */
import { addProduct, transposed } from './product.ts';
import type { LabelledRows } from './whitening.ts';

/** Rows worked on at once: they and their scores stay in the cache of a core. */
const panel = 64;

/**
 * Weights of `classes` rows of features, then `classes` biases, in one array. The biases are free of the penalty. Memory
 * beyond the arguments: one panel.
 */
export class SoftmaxObjective {
  readonly size: number;
  readonly #rows: LabelledRows;
  readonly #classes: number;
  readonly #penalty: number;

  /** `penalty`: half of it times the sum of the squared weights is added to the mean loss. */
  constructor(rows: LabelledRows, classes: number, penalty: number) {
    this.#rows = rows;
    this.#classes = classes;
    this.#penalty = penalty;
    this.size = classes * (rows.features + 1);
  }

  /** The loss at `at`; its gradient is written into `gradient`. */
  evaluate(at: Float64Array, gradient: Float64Array): number {
    const { features, rows, labels } = this.#rows;
    const classes = this.#classes;
    const weights = at.subarray(0, classes * features);
    const ofWeights = gradient.subarray(0, classes * features);
    gradient.fill(0);
    let loss = 0;
    const share = 1 / rows.length;
    for (const { first, count, values, scores } of scored(this.#rows, at, classes)) {
      for (let i = 0; i < count; i++) {
        const row = scores.subarray(i * classes, (i + 1) * classes);
        const label = labels[first + i]!;
        loss += share * crossEntropy(row, label);
        row[label]! -= 1;
        for (let k = 0; k < classes; k++) {
          row[k]! *= share;
          gradient[classes * features + k]! += row[k]!;
        }
      }
      const residuals = transposed(scores, count, classes);
      addProduct(residuals, transposed(values, count, features), ofWeights, [classes, features, count]);
    }
    for (let i = 0; i < weights.length; i++) {
      loss += 0.5 * this.#penalty * weights[i]! ** 2;
      ofWeights[i]! += this.#penalty * weights[i]!;
    }
    return loss;
  }
}

export interface Fitness {
  /** Mean cross-entropy. */
  loss: number;
  /** Share of rows whose best score is their class's. */
  top1: number;
}

/** How well a head does on rows. */
export function fitness(rows: LabelledRows, at: Float64Array, classes: number): Fitness {
  let [loss, right] = [0, 0];
  for (const { first, count, scores } of scored(rows, at, classes)) {
    for (let i = 0; i < count; i++) {
      const row = scores.subarray(i * classes, (i + 1) * classes);
      const label = rows.labels[first + i]!;
      let best = 0;
      for (let k = 1; k < classes; k++) if (row[k]! > row[best]!) best = k;
      if (best === label) right++;
      loss += crossEntropy(row, label);
    }
  }
  return { loss: loss / rows.rows.length, top1: right / rows.rows.length };
}

interface Panel {
  first: number;
  count: number;
  values: Float64Array;
  scores: Float64Array;
}

/** The rows in panels with their scores. A panel is overwritten by the next. */
function* scored(rows: LabelledRows, at: Float64Array, classes: number): Generator<Panel> {
  const { data, features, rows: indices } = rows;
  const biases = at.subarray(classes * features);
  const values = new Float64Array(panel * features);
  const scores = new Float64Array(panel * classes);
  for (let first = 0; first < indices.length; first += panel) {
    const count = Math.min(panel, indices.length - first);
    for (let i = 0; i < count; i++) {
      const from = indices[first + i]! * features;
      for (let j = 0; j < features; j++) values[i * features + j] = data[from + j]!;
      scores.set(biases, i * classes);
    }
    addProduct(values, at, scores, [count, classes, features]);
    yield { first, count, values, scores };
  }
}

/** Turns scores into shares, in place. */
function crossEntropy(scores: Float64Array, label: number): number {
  let most = -Infinity;
  for (const score of scores) most = Math.max(most, score);
  const own = scores[label]! - most;
  let sum = 0;
  for (let k = 0; k < scores.length; k++) sum += scores[k] = Math.exp(scores[k]! - most);
  for (let k = 0; k < scores.length; k++) scores[k]! /= sum;
  return Math.log(sum) - own;
}
