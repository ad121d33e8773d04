/** Confidences that mean what they say: one number by which all scores are divided, found on images that no head has seen. */
import type { Fold } from './cross-validate.ts';
import type { Head, ViewedFeatures } from './fit.ts';

/** Scores of images, a row each, and their classes. */
export interface ScoredImages {
  scores: Float64Array;
  labels: Int32Array;
  classes: number;
}

/** What the heads of cross-validation give the images that each was judged on. */
export function foldScores(
  { data, features, views, labels, classes }: ViewedFeatures,
  folds: readonly (Pick<Fold, 'held'> & { head: Head })[],
  view: number,
): ScoredImages {
  const images = folds.flatMap(({ held }) => [...held]);
  const scores = new Float64Array(images.length * classes);
  let at = 0;
  for (const { held, head } of folds) {
    for (const image of held) {
      const row = (image * views + view) * features;
      for (let k = 0; k < classes; k++) {
        let sum = head.values[classes * features + k]!;
        for (let j = 0, from = k * features; j < features; j++)
          sum += head.values[from + j]! * data[row + j]!;
        scores[at++] = sum;
      }
    }
  }
  return { scores, labels: Int32Array.from(images, (image) => labels[image]!), classes };
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
