/** How far a measured share can be trusted: a confidence interval, and a test of two models on the same images. */

export interface Interval {
  low: number;
  high: number;
}

/** The 97.5 % quantile of the normal distribution. */
const z = 1.959964;

/** Wilson's interval of 95 %: holds for small numbers, and for shares near 0 and 1. */
export function wilson(right: number, count: number): Interval {
  if (count === 0) return { low: 0, high: 1 };
  const share = right / count;
  const centre = share + z ** 2 / (2 * count);
  const spread = z * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  const scale = 1 + z ** 2 / count;
  // At the ends the formula gives 0 and 1, but for a rounding error.
  return {
    low: right === 0 ? 0 : (centre - spread) / scale,
    high: right === count ? 1 : (centre + spread) / scale,
  };
}

/**
 * McNemar's exact test: how likely it is by chance alone, for two equally good models, that the images only one of them
 * gets right are shared out so unevenly, or more so. Two-sided.
 */
export function mcnemar(onlyFirst: number, onlySecond: number): number {
  const count = onlyFirst + onlySecond;
  // Binomial coefficients as logarithms: their own values are beyond a float64 from some 1000 images on.
  let term = -count * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= Math.min(onlyFirst, onlySecond); k++) {
    tail += Math.exp(term);
    term += Math.log(count - k) - Math.log(k + 1);
  }
  return Math.min(1, 2 * tail);
}
