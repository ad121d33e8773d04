/** How many images each class has, which have too few, and numbers as the report writes them. Pure. */
import type { ClassCount, ReportInput } from './input.ts';

/** Fewer images than this are too few to train a class with. */
export const leastImages = 20;
/** More than so many times the images of another class, and the network leans towards the larger. */
export const mostImbalance = 3;

/** As given, else what was judged. */
export function classCounts({ counts, judgement }: ReportInput): readonly ClassCount[] {
  return (
    counts ??
    judgement.metrics.perClass
      .filter(({ count }) => count > 0)
      .map(({ label, count }) => ({ label, train: 0, held: count }))
  );
}

/** The number that decides: images to train with where they are known, else those judged. */
export function decisive(input: ReportInput): (count: ClassCount) => number {
  return input.counts === undefined ? ({ held }) => held : ({ train }) => train;
}

export function countWarnings(input: ReportInput): string[] {
  const counts = classCounts(input);
  const number = decisive(input);
  const what = input.counts === undefined ? 'to test on' : 'to train on';
  const sorted = [...counts].sort((a, b) => number(a) - number(b));
  const [least, most] = [sorted[0], sorted.at(-1)];
  if (least === undefined || most === undefined) return [];
  const warnings: string[] = [];
  if (number(most) > mostImbalance * number(least)) {
    warnings.push(
      `The classes are unbalanced, more than ${mostImbalance}:1: ${most.label} has ${number(most)} images ${what}, ` +
        `${least.label} has ${number(least)}.`,
    );
  }
  const few = sorted.filter((count) => number(count) < leastImages);
  if (few.length > 0) {
    const named = list(few.map((count) => `${count.label} (${number(count)})`));
    warnings.push(`Fewer than ${leastImages} images ${what}: ${named}.`);
  }
  return warnings;
}

/** Classes with too few images to train with, or far fewer than the largest; `wanted` more would do. */
export function smallestClasses(input: ReportInput): { label: string; count: number; wanted: number }[] {
  if (input.counts === undefined) return [];
  const largest = Math.max(...input.counts.map(({ train }) => train));
  const enough = Math.max(leastImages, Math.ceil(largest / mostImbalance));
  return input.counts
    .filter(({ train }) => train < enough)
    .map(({ label, train }) => ({ label, count: train, wanted: enough - train }))
    .sort((a, b) => a.count - b.count);
}

// Numbers as the report writes them.

/** `3 images`, `1 image`. */
export function images(count: number): string {
  return count === 1 ? '1 image' : `${count} images`;
}

/** `a, b and c`; beyond `most`, `a, b and 7 others`. */
export function list(names: readonly string[], most = 6): string {
  const shown =
    names.length > most ? [...names.slice(0, most - 1), `${names.length - most + 1} others`] : names;
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}
