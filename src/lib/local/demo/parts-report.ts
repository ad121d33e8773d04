/** The part of the demo's report that only drawn parts have: how many were named right, and a table of them. */
import { printable } from '../../base/printable.ts';
import { table } from '../../base/report/table.ts';
import { colours } from '../drawings/colours.ts';
import { shapeNames } from '../drawings/shapes.ts';
import type { Accuracy } from './accuracy.ts';

const shownMistakes = 8;

export interface PartsReport extends Accuracy {
  /** What the pictures show, by key. */
  truth: ReadonlyMap<string, string>;
}

/** Lines for people. In the table a number stands for pictures that were all named right, `3/4` for 3 of 4. */
export function partsReport({ accuracy, right, mistakes, truth }: PartsReport): string[] {
  const total = countBy([...truth.values()]);
  const wrong = countBy(mistakes.map((mistake) => mistake.truth));
  const cell = (label: string) => {
    const [all, missed] = [total.get(label) ?? 0, wrong.get(label) ?? 0];
    return missed === 0 ? `${all}` : `${all - missed}/${all}`;
  };
  const lines = [
    '',
    `${right} of ${truth.size} parts named right, colour and shape: ${(100 * accuracy).toFixed(1)} %`,
    '',
    table(shapeNames, [
      { title: 'part', value: (shape) => shape },
      ...colours.map((colour) => ({
        title: colour,
        value: (shape: string) => cell(`${colour} ${shape}`),
        align: 'right' as const,
      })),
    ]),
  ];
  if (mistakes.length > 0) lines.push('', 'taken for something else:');
  for (const { truth: shown, category, confidence, imageKey } of mistakes.slice(0, shownMistakes)) {
    lines.push(`  ${shown} → ${printable(category)} (${confidence.toFixed(0)} %)  ${printable(imageKey)}`);
  }
  if (mistakes.length > shownMistakes) lines.push(`  … and ${mistakes.length - shownMistakes} more`);
  return lines;
}

function countBy(labels: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}
