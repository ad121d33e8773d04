/** The learning rate over a training: a linear warm-up, then half a cosine down to zero. */

/** A share of the highest learning rate at `step` (from 0) of `steps`. */
export function rateAt(step: number, steps: number, warmUpSteps: number): number {
  // A short training would else be over before it is warm.
  const warmUp = Math.min(warmUpSteps, Math.floor(steps / 10));
  if (step < warmUp) return (step + 1) / (warmUp + 1);
  return 0.5 * (1 + Math.cos((Math.PI * (step - warmUp)) / Math.max(1, steps - warmUp)));
}
