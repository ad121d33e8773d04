/** What a number of images showed: shares, means, and how far one image tells of the next. */
import type { Shown } from '../../systems/database/tables/belt-references.ts';

export interface SeenImage {
  /** When it was captured, else when it came into the topic, in milliseconds since the epoch. */
  time: number;
  category: string;
  /** Percent. */
  confidence: number;
  /** Null: the model does not tell. */
  unknown: boolean | null;
}

/** Of one image or more, in the order in which they were recorded. */
export function shownBy(images: readonly SeenImage[]): Shown {
  const classes = new Map<string, number>();
  for (const { category } of images) classes.set(category, (classes.get(category) ?? 0) + 1);
  const confidence = series(images.map((image) => image.confidence));
  const told = images.every(({ unknown }) => unknown !== null);
  const unknown = series(images.map((image) => (image.unknown ? 1 : 0)));
  const persistence = classPersistence(images, classes);
  return {
    images: images.length,
    unknown: told ? Math.round(unknown.mean * images.length) : null,
    confidence: { mean: confidence.mean, variance: confidence.variance },
    classes,
    inflation: {
      unknown: inflation(unknown.correlation, persistence),
      confidence: inflation(confidence.correlation, persistence),
      classes: inflation(persistence, persistence),
    },
  };
}

/** Mean and variance of one value or more, and the correlation of each with the next, 0 where it is negative. */
function series(values: readonly number[]): { mean: number; variance: number; correlation: number } {
  let total = 0;
  for (const value of values) total += value;
  const mean = total / values.length;
  let [square, product, last] = [0, 0, 0];
  for (const value of values) {
    const distance = value - mean;
    square += distance * distance;
    product += distance * last;
    last = distance;
  }
  return {
    mean,
    variance: square / values.length,
    correlation: square > 0 ? bounded(product / square) : 0,
  };
}

/** How much likelier an image is of its predecessor's class than by chance: 0 (not at all) to almost 1 (always). */
function classPersistence(images: readonly SeenImage[], classes: ReadonlyMap<string, number>): number {
  let byChance = 0;
  for (const count of classes.values()) byChance += (count / images.length) ** 2;
  if (byChance >= 1) return 0;
  let same = 0;
  for (let n = 1; n < images.length; n++) if (images[n]!.category === images[n - 1]!.category) same++;
  return bounded((same / (images.length - 1) - byChance) / (1 - byChance));
}

/** Beyond this, hundreds of images say nothing at all. */
const mostCorrelation = 0.98;

function bounded(correlation: number): number {
  return Math.min(mostCorrelation, Math.max(0, correlation));
}

/**
 * By how much the variance of a mean grows where neighbours are alike and that fades as slowly as the runs of a class do, or as it
 * would by itself.
 */
function inflation(neighbours: number, persistence: number): number {
  return 1 + (2 * neighbours) / (1 - Math.max(neighbours, persistence));
}
