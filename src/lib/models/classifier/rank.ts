/** A network's scores to its best categories with their confidence. */
import type { ModelOutput, Score } from '../../base/classification.ts';
import { VisionscaleError } from '../../base/errors.ts';

/**
 * The `count` best, best first; equal scores in the order of the labels. Softmax in float64; independent confidences stay
 * independent.
 */
export function rank(
  scores: Float32Array,
  labels: readonly string[],
  output: ModelOutput,
  count = 5,
): Score[] {
  const shares = output === 'logits' ? softmax(scores) : Float64Array.from(scores, bounded);
  if (!shares.every(Number.isFinite)) {
    throw new VisionscaleError('the model answered with scores that are not numbers', {
      code: 'model_invalid',
      hint: 'Its weights are damaged or need another preprocessing (mean, std) than its model.json says.',
    });
  }
  const best: number[] = [];
  for (let i = 0; i < shares.length; i++) {
    let place = best.length;
    while (place > 0 && shares[i]! > shares[best[place - 1]!]!) place--;
    if (place < count) best.splice(place, 0, i);
    if (best.length > count) best.pop();
  }
  return best.map((i) => ({ category: labels[i]!, confidence: 100 * shares[i]! }));
}

/** What rounding does to a share: more is no share. */
const slack = 0.02;

function bounded(share: number): number {
  if (share < -slack || share > 1 + slack) {
    throw new VisionscaleError(`the model answered with ${share}, which is not a probability`, {
      code: 'model_invalid',
      hint: 'Its outputs are logits, not what its model.json says: add it again without --output.',
    });
  }
  return Math.min(Math.max(share, 0), 1);
}

export function softmax(scores: Float32Array): Float64Array {
  let most = -Infinity;
  for (const score of scores) most = Math.max(most, score);
  const shares = Float64Array.from(scores, (score) => Math.exp(score - most));
  let sum = 0;
  for (const share of shares) sum += share;
  return shares.map((share) => share / sum);
}
