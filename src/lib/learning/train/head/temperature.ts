/** Confidences that mean what they say: one number by which all scores are divided, found on images that the head has not seen. */
import { calibrationError, type LabelledAnswer } from '../../evaluate/metrics.ts';
import type { Head, ViewedFeatures } from './fit.ts';

/** Scores of images, a row each, and their classes. */
export interface ScoredImages {
  scores: Float64Array;
  labels: Int32Array;
  classes: number;
}

/** What a head makes of a view of each image. */
export function scoresOf(
  { classes, values }: Head,
  { data, features, views, labels }: ViewedFeatures,
  view: number,
): ScoredImages {
  const scores = new Float64Array(labels.length * classes);
  for (let image = 0, at = 0; image < labels.length; image++) {
    const row = (image * views + view) * features;
    for (let k = 0; k < classes; k++) {
      let sum = values[classes * features + k]!;
      for (let j = 0, from = k * features; j < features; j++) sum += values[from + j]! * data[row + j]!;
      scores[at++] = sum;
    }
  }
  return { scores, labels, classes };
}

/** Fewer images would say more of themselves than of the head. */
const leastImages = 50;

export interface Calibration {
  temperature: number;
  /** Expected calibration error of the same images, with the scores as they were, and divided by the temperature. */
  before: number;
  after: number;
}

/** Undefined where there are too few images. */
export function calibrate(images: ScoredImages): Calibration | undefined {
  if (images.labels.length < leastImages) return undefined;
  const temperature = temperatureOf(images);
  return {
    temperature,
    before: calibrationError(answersOf(images, 1)),
    after: calibrationError(answersOf(images, temperature)),
  };
}

function answersOf({ scores, labels, classes }: ScoredImages, temperature: number): LabelledAnswer[] {
  return Array.from(labels, (truth, i) => {
    const row = scores.subarray(i * classes, (i + 1) * classes);
    let label = 0;
    for (let k = 1; k < classes; k++) if (row[k]! > row[label]!) label = k;
    let total = 0;
    for (const score of row) total += Math.exp((score - row[label]!) / temperature);
    return { truth, top: [{ label, score: 1 / total }] };
  });
}

/** Beyond these nothing is calibrated: the images are all right, or all wrong. */
const [coldest, hottest] = [0.05, 20];

/**
 * The temperature with the least mean log-loss. In its inverse the loss is convex: Newton's method, within bounds. 1 without images.
 */
export function temperatureOf({ scores, labels, classes }: ScoredImages): number {
  if (labels.length === 0) return 1;
  let inverse = 1;
  for (let round = 0; round < 50; round++) {
    let [slope, curvature] = [0, 0];
    for (let i = 0; i < labels.length; i++) {
      const row = scores.subarray(i * classes, (i + 1) * classes);
      let most = -Infinity;
      for (const score of row) most = Math.max(most, score);
      let [total, mean, square] = [0, 0, 0];
      for (const score of row) {
        const share = Math.exp(inverse * (score - most));
        total += share;
        mean += share * (score - most);
        square += share * (score - most) ** 2;
      }
      mean /= total;
      slope += mean - (row[labels[i]!]! - most);
      curvature += square / total - mean ** 2;
    }
    const next = curvature > 0 ? inverse - slope / curvature : slope > 0 ? 0 : Infinity;
    // At most to half or twice as much: far from the least value the curve is flat.
    const bounded = Math.min(Math.max(next, inverse / 2, 1 / hottest), inverse * 2, 1 / coldest);
    if (Math.abs(bounded - inverse) < 1e-6 * inverse) break;
    inverse = bounded;
  }
  return 1 / inverse;
}

/** The head whose scores are divided by `temperature`: the same answers, with other confidences. */
export function cooled(head: Head, temperature: number): Head {
  return { ...head, values: head.values.map((value) => value / temperature) };
}
