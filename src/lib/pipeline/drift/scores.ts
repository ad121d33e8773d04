/**
 * Test statistics of two samples, as multiples of the standard deviation that chance would give them: how far what was seen lies
 * from what it is compared with. Both sides are samples.
 */
import { sum } from '../../base/statistics.ts';
import type { Shown } from '../../systems/database/tables/belt-references.ts';

export type Sample = Pick<Shown, 'images' | 'unknown' | 'confidence'>;

/** Positive: more are unknown. 0 where a side does not tell. */
export function unknownScore(before: Sample, now: Sample, inflation: number): number {
  if (before.unknown === null || now.unknown === null) return 0;
  const columns: Column[] = [
    [before.unknown, now.unknown],
    [before.images - before.unknown, now.images - now.unknown],
  ];
  const { statistic } = gTest(columns, inflation);
  const rose = now.unknown / now.images > before.unknown / before.images;
  return (rose ? 1 : -1) * Math.sqrt(statistic);
}

/**
 * Positive: the mean fell. The larger of both variances counts for both: confidences are skewed, and a sample without one of the
 * rare low ones would look far surer of its mean than it is.
 */
export function confidenceScore(before: Sample, now: Sample, inflation: number): number {
  const variance = Math.max(leastVariance, before.confidence.variance, now.confidence.variance);
  const fall = before.confidence.mean - now.confidence.mean;
  return fall / Math.sqrt(variance * inflation * (1 / before.images + 1 / now.images));
}

/** Of confidences in percent: a model that is always sure changes by hundredths of a point, which nobody needs to know. */
const leastVariance = 1;

/** Never far below 0: a mix can only differ. */
export function classScore(before: Shown, now: Shown, inflation: number): number {
  const columns: Column[] = [];
  for (const [name, count] of before.classes) columns.push([count, now.classes.get(name) ?? 0]);
  for (const [name, count] of now.classes) if (!before.classes.has(name)) columns.push([0, count]);
  const { statistic, degrees } = gTest(columns, inflation);
  return asNormal(statistic, degrees);
}

/** How often something was there before, and how often now. */
type Column = [before: number, now: number];

/** Least images expected of what counts by itself, on either side: below that the statistic's distribution is another. */
const leastExpected = 5;

/** The likelihood-ratio test of two rows of counts; what is rare counts together. `inflation` images count as one. */
function gTest(columns: readonly Column[], inflation: number): { statistic: number; degrees: number } {
  const before = sum(columns.map(([count]) => count));
  const now = sum(columns.map(([, count]) => count));
  const least = (leastExpected * inflation * (before + now)) / Math.min(before, now);
  const groups: Column[] = [];
  const rare: Column = [0, 0];
  for (const column of columns) {
    if (column[0] + column[1] >= least) groups.push(column);
    else {
      rare[0] += column[0];
      rare[1] += column[1];
    }
  }
  // Left out where they are too few even together.
  if (rare[0] + rare[1] >= least) groups.push(rare);
  let statistic = 0;
  const totals = [sum(groups.map(([count]) => count)), sum(groups.map(([, count]) => count))] as const;
  for (const [had, has] of groups) {
    const share = (had + has) / (totals[0] + totals[1]);
    statistic += part(had, totals[0] * share) + part(has, totals[1] * share);
  }
  return { statistic: Math.max(0, statistic) / inflation, degrees: groups.length - 1 };
}

function part(count: number, expected: number): number {
  return count === 0 ? 0 : 2 * count * Math.log(count / expected);
}

/** Of a chi-square statistic, after Wilson and Hilferty (1931), whose approximation is too small for a single degree's tail. */
function asNormal(statistic: number, degrees: number): number {
  if (degrees < 1) return 0;
  if (degrees === 1) return Math.sqrt(statistic);
  const spread = 2 / (9 * degrees);
  return (Math.cbrt(statistic / degrees) - (1 - spread)) / Math.sqrt(spread);
}
