/** How good answers are, and how far that can be trusted: accuracy, precision and recall of each class, intervals. Pure. */

export interface RankedLabel {
  /** Index of a label. */
  label: number;
  /** Share of 1. */
  score: number;
}

export interface LabelledAnswer {
  /** Index of the true label. */
  truth: number;
  /** Best first. */
  top: readonly RankedLabel[];
}

export interface ClassMetrics {
  label: string;
  /** Share of the answers with this label that are right; null where it was never answered. */
  precision: number | null;
  /** Share of the images of this class that were answered right; null where there are none. */
  recall: number | null;
  /** Images of this class. */
  count: number;
}

export interface Metrics {
  /** Share of images whose first answer is right, 0 to 1; NaN without images. */
  top1: number;
  /** Share of images with the truth among the first five answers. */
  top5: number;
  count: number;
  /** In the order of the labels. */
  perClass: ClassMetrics[];
  /** Images by true label (row) and first answer (column). */
  confusion: number[][];
}

/** An image without an answer counts as answered wrongly. */
export function metricsOf(labels: readonly string[], answers: readonly LabelledAnswer[]): Metrics {
  const confusion = labels.map(() => labels.map(() => 0));
  const counts = labels.map(() => 0);
  let [first, five] = [0, 0];
  for (const { truth, top } of answers) {
    counts[truth]!++;
    const answer = top[0]?.label;
    if (answer !== undefined) confusion[truth]![answer]!++;
    if (answer === truth) first++;
    if (top.slice(0, 5).some(({ label }) => label === truth)) five++;
  }
  const perClass = labels.map((label, index) => {
    const right = confusion[index]![index]!;
    const answered = confusion.reduce((sum, row) => sum + row[index]!, 0);
    const count = counts[index]!;
    return {
      label,
      precision: answered === 0 ? null : right / answered,
      recall: count === 0 ? null : right / count,
      count,
    };
  });
  return {
    top1: first / answers.length,
    top5: five / answers.length,
    count: answers.length,
    perClass,
    confusion,
  };
}

export interface ConfusedPair {
  truth: string;
  answer: string;
  images: number;
  /** Of the images of the true class. */
  share: number;
}

/** Which class is taken for which, most images first. */
export function confusedPairs(labels: readonly string[], { confusion, perClass }: Metrics): ConfusedPair[] {
  const pairs: ConfusedPair[] = [];
  confusion.forEach((row, truth) =>
    row.forEach((images, answer) => {
      if (truth === answer || images === 0) return;
      const share = images / perClass[truth]!.count;
      pairs.push({ truth: labels[truth]!, answer: labels[answer]!, images, share });
    }),
  );
  return pairs.sort((a, b) => b.images - a.images || b.share - a.share);
}

/**
 * Expected calibration error, 0 to 1: answers in 15 bins by the confidence of the first, the difference between mean confidence and
 * the share that is right, weighted by the bins' images; NaN without answers.
 */
export function calibrationError(answers: readonly LabelledAnswer[], bins = 15): number {
  const surplus = new Float64Array(bins);
  for (const { truth, top } of answers) {
    const { label, score = 0 } = top[0] ?? {};
    surplus[Math.min(bins - 1, Math.floor(score * bins))]! += score - (label === truth ? 1 : 0);
  }
  return surplus.reduce((sum, value) => sum + Math.abs(value), 0) / answers.length;
}

/** How likely a value of `high` is greater than one of `low`, of 1; equal ones count half. The area under the ROC curve. */
export function areaUnderCurve(low: readonly number[], high: readonly number[]): number {
  const sorted = low.toSorted((a, b) => a - b);
  const below = (value: number, orEqual: boolean) => {
    let [from, to] = [0, sorted.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (sorted[middle]! < value || (orEqual && sorted[middle] === value)) from = middle + 1;
      else to = middle;
    }
    return from;
  };
  const wins = high.reduce((sum, value) => sum + (below(value, false) + below(value, true)) / 2, 0);
  return wins / high.length / sorted.length;
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
