/** Sums and percentiles of samples, and how far a measured share can be trusted. */

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The smallest sample that at least `percent` of them do not exceed (nearest rank); NaN of none. */
export function percentile(samples: readonly number[], percent: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const rank = Math.ceil((percent / 100) * sorted.length);
  return sorted[Math.max(0, rank - 1)] ?? NaN;
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 50);
}

// How far a measured share can be trusted.

export interface Interval {
  low: number;
  high: number;
}

/** The 97.5 % quantile of the normal distribution. */
export const normalQuantile = 1.959964;

/**
 * Wilson's interval of 95 %: holds for small numbers, and for shares near 0 and 1. `z`: the 97.5 % quantile of what the error is
 * distributed like.
 */
export function wilson(right: number, count: number, z = normalQuantile): Interval {
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
