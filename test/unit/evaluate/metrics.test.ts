/** Accuracy, precision, recall, confusion and intervals against values worked out by hand. */
import { describe, expect, it } from 'vitest';
import { wilson } from '../../../src/lib/base/statistics.ts';
import { confusedPairs, metricsOf } from '../../../src/lib/learning/evaluate/metrics.ts';

const labels = ['gear', 'nut', 'bolt', 'never'];
/** The answer, then the runners-up. */
const answer = (truth: number, ...top: number[]) => ({
  truth,
  top: top.map((label, rank) => ({ label, score: 1 / (rank + 2) })),
});
const answers = [
  answer(0, 0, 1),
  answer(0, 0, 2),
  answer(0, 1, 0),
  answer(0, 1, 2),
  answer(1, 1),
  answer(1, 0, 2, 3, 3, 3, 1), // right at the sixth place only
  answer(2, 2),
  answer(2),
];

describe('measure', () => {
  const metrics = metricsOf(labels, answers);

  it('counts right answers, at once and among five', () => {
    expect(metrics).toMatchObject({ count: 8, top1: 4 / 8, top5: 5 / 8 });
  });

  it('gives precision and recall, and null where there is nothing to divide by', () => {
    expect(metrics.perClass).toEqual([
      { label: 'gear', precision: 2 / 3, recall: 2 / 4, count: 4 },
      { label: 'nut', precision: 1 / 3, recall: 1 / 2, count: 2 },
      { label: 'bolt', precision: 1, recall: 1 / 2, count: 2 },
      { label: 'never', precision: null, recall: null, count: 0 },
    ]);
  });

  it('has a row a truth and a column an answer; no answer is no column', () => {
    expect(metrics.confusion).toEqual([
      [2, 2, 0, 0],
      [1, 1, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 0],
    ]);
    expect(confusedPairs(labels, metrics)).toEqual([
      { truth: 'gear', answer: 'nut', images: 2, share: 0.5 },
      { truth: 'nut', answer: 'gear', images: 1, share: 0.5 },
    ]);
  });

  it('is not a number without images', () => {
    expect(metricsOf(labels, []).top1).toBeNaN();
  });
});

describe('wilson', () => {
  it('is what the textbook has', () => {
    // 8 of 10: (0.8 + 0.19207) / 1.38415 ± 1.96 √(0.016 + 0.009604) / 1.38415
    expect(wilson(8, 10).low).toBeCloseTo(0.4902, 4);
    expect(wilson(8, 10).high).toBeCloseTo(0.9433, 4);
  });

  it('stays within 0 and 1, and says nothing of nothing', () => {
    expect(wilson(10, 10)).toEqual({ low: expect.closeTo(0.7225, 4) as number, high: 1 });
    expect(wilson(0, 10)).toEqual({ low: 0, high: expect.closeTo(0.2775, 4) as number });
    expect(wilson(0, 0)).toEqual({ low: 0, high: 1 });
  });
});
