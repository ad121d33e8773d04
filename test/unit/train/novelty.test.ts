/** What training learns of unknown objects, held against the formula written out; and confidences that mean what they say. */
import { describe, expect, it } from 'vitest';
import { areaUnderCurve, calibrationError } from '../../../src/lib/learning/evaluate/metrics.ts';
import type { ViewedFeatures } from '../../../src/lib/learning/train/head/fit.ts';
import {
  calibrate,
  cooled,
  scoresOf,
  temperatureOf,
} from '../../../src/lib/learning/train/head/temperature.ts';
import { learnNovelty, quantile, type Novelty } from '../../../src/lib/learning/train/novelty/learn.ts';
import { noveltyOf } from '../../../src/lib/models/onnx/novelty.ts';
import { chance } from '../../support/squeezenet-models.ts';

const features = 5;
const views = 2;

/** Classes about axes of their own, in the second of two views; `each` images of each. */
function setOf(classes: number, each: number, spread = 0.4): ViewedFeatures {
  const next = chance(5);
  const labels = Int32Array.from({ length: classes * each }, (_, i) => Math.floor(i / each));
  const data = new Float32Array(labels.length * views * features);
  for (const [i, label] of labels.entries()) {
    const length = 1 + next();
    for (let j = 0; j < features; j++) {
      data[(i * views + 1) * features + j] =
        length * ((j === label ? 1 : 0.2) + spread * (next() + next() - 1));
    }
  }
  return { data, features, views, labels, classes };
}

const row = (set: ViewedFeatures, image: number) =>
  set.data.subarray((image * views + 1) * features, (image * views + 2) * features);

/** Scaled to length 1, or their roots with the sign of the value. */
function shaped(values: ArrayLike<number>, isScaled: boolean): number[] {
  const all = Array.from(values);
  const length = Math.hypot(...all);
  return all.map((value) => (isScaled ? value / length : Math.sign(value) * Math.sqrt(Math.abs(value))));
}

/** Of what is taken to be alike in all directions: its variance, and its share. */
interface Alike {
  spread: number;
  shrinkage: number;
}

/** Of `at` to the nearest class of `images`, by sums as a textbook has them. */
function distance(
  set: ViewedFeatures,
  images: readonly number[],
  at: Float32Array,
  { isScaled = true, ...alike }: Partial<Alike> & { isScaled?: boolean } = {},
): number {
  const rows = images.map((image) => ({ x: shaped(row(set, image), isScaled), label: set.labels[image]! }));
  const present = [...new Set(rows.map(({ label }) => label))];
  const means = present.map((label) => {
    const own = rows.filter((one) => one.label === label);
    return own[0]!.x.map((_, j) => own.reduce((sum, { x }) => sum + x[j]! / own.length, 0));
  });
  const axes = [...Array(features).keys()];
  const covariance = axes.map((i) =>
    axes.map((j) => {
      const products = rows.map(({ x, label }) => {
        const mean = means[present.indexOf(label)]!;
        return (x[i]! - mean[i]!) * (x[j]! - mean[j]!);
      });
      return products.reduce((sum, value) => sum + value, 0) / (rows.length - present.length);
    }),
  );
  const { spread = axes.reduce((sum, i) => sum + covariance[i]![i]! / features, 0) } = alike;
  const fewer = features / (features + rows.length - present.length);
  const { shrinkage = isScaled ? 0.5 : fewer } = alike;
  const shrunk = covariance.map((line, i) =>
    line.map((value, j) => (1 - shrinkage) * value + (i === j ? shrinkage * spread : 0)),
  );
  const x = shaped(at, isScaled);
  return Math.min(
    ...means.map((mean) => {
      const apart = x.map((value, j) => value - mean[j]!);
      const solved = solve(shrunk, apart);
      return Math.sqrt(apart.reduce((sum, value, j) => sum + value * solved[j]!, 0));
    }),
  );
}

/** Mean over the features, within the classes. */
function varianceOf(set: ViewedFeatures, images: readonly number[]): number {
  const rows = images.map((image) => ({ x: shaped(row(set, image), true), label: set.labels[image]! }));
  let sum = 0;
  for (const { x, label } of rows) {
    const own = rows.filter((one) => one.label === label);
    for (const [j, value] of x.entries()) {
      sum += (value - own.reduce((total, one) => total + one.x[j]! / own.length, 0)) ** 2;
    }
  }
  return sum / (rows.length - set.classes) / features;
}

/** Gauss, with pivots on the diagonal. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const a = matrix.map((line, i) => [...line, right[i]!]);
  for (let k = 0; k < a.length; k++) {
    for (let i = 0; i < a.length; i++) {
      if (i === k) continue;
      const factor = a[i]![k]! / a[k]![k]!;
      a[i] = a[i]!.map((value, j) => value - factor * a[k]![j]!);
    }
  }
  return a.map((line, i) => line.at(-1)! / line[i]!);
}

const everything = (set: ViewedFeatures) => Int32Array.from(set.labels.keys());
function foldsOf(set: ViewedFeatures, count = 4) {
  const all = [...set.labels.keys()];
  return Array.from({ length: count }, (_, fold) => ({
    images: Int32Array.from(all.filter((i) => i % count !== fold)),
    held: Int32Array.from(all.filter((i) => i % count === fold)),
  }));
}
const learned = (set: ViewedFeatures, folds = foldsOf(set), isScaled = true) =>
  learnNovelty({ set, view: 1, images: everything(set), folds, isScaled, allowed: 0.1 });

describe('novelty', () => {
  const set = setOf(3, 20);
  const folds = foldsOf(set);
  const novelty = learned(set) as Novelty;
  const unseen = folds.flatMap(({ images, held }) =>
    [...held].map((i) => distance(set, [...images], row(set, i))),
  );
  const threshold = quantile(unseen, 0.1);

  it('is the distance to the nearest class, in units of a threshold from images that were left out', () => {
    for (const at of [
      row(set, 0),
      row(set, 59),
      Float32Array.of(0, 0, 0, 1, 3),
      Float32Array.of(1, 0, 1, 0, 0),
    ]) {
      expect(noveltyOf(novelty.layer, at)).toBeCloseTo(
        distance(set, [...everything(set)], at) / threshold,
        4,
      );
    }
    expect(noveltyOf(novelty.layer, Float32Array.of(0, 0, 0, 1, 3))).toBeGreaterThan(1.3);
    expect(Number.isFinite(noveltyOf(novelty.layer, new Float32Array(features)))).toBe(true);
    expect(novelty.calibration.images).toBe(60);
    expect(novelty.calibration.unknown).toBe(unseen.filter((one) => one >= threshold).length / 60);
    expect(novelty.calibration.unknown).toBeLessThanOrEqual(0.1);
    expect(novelty.calibration.unknown).toBeGreaterThan(0.05);
  });

  it('has the length of the features in it where they are not scaled', () => {
    const { layer } = learned(set, folds, false) as Novelty;
    const far = folds.flatMap(({ images, held }) =>
      [...held].map((i) => distance(set, [...images], row(set, i), { isScaled: false })),
    );
    const at = row(set, 7);
    const longer = at.map((value) => 3 * value);
    for (const one of [at, longer]) {
      const expected = distance(set, [...everything(set)], one, { isScaled: false }) / quantile(far, 0.1);
      expect(noveltyOf(layer, one)).toBeCloseTo(expected, 4);
    }
    expect(noveltyOf(layer, longer)).toBeGreaterThan(1.2 * noveltyOf(layer, at));
  });

  it('is calibrated on further images together with those that were left out', () => {
    const wide = { ...set, data: set.data.map((value, i) => (i % features === 4 ? value + 1 : value)) };
    const task = { set, view: 1, images: everything(set), folds, isScaled: true, allowed: 0.1 };
    const { layer, calibration } = learnNovelty({ ...task, heldOut: wide }) as Novelty;
    const unknown = everything(wide).filter((i) => noveltyOf(layer, row(wide, i)) >= 1).length;
    expect(calibration.images).toBe(120);
    expect(calibration.unknown).toBeLessThanOrEqual(0.1);
    expect(unknown).toBeGreaterThan(0);
    expect(unknown).toBeLessThanOrEqual(12);
    // Of a few images of a class there may be nothing else.
    expect((learnNovelty({ ...task, folds: [], heldOut: set }) as Novelty).calibration.images).toBe(60);
  });

  it('tells of each class how it would be told from the others', () => {
    expect(novelty.leftOut.map(({ label }) => label).sort()).toEqual([0, 1, 2]);
    for (const { label, images, caught, auroc } of novelty.leftOut) {
      const others = [...everything(set)].filter((i) => set.labels[i] !== label);
      const own = [...everything(set)].filter((i) => set.labels[i] === label);
      const far = own.map((i) => distance(set, others, row(set, i)));
      expect(images).toBe(20);
      expect(caught).toBeCloseTo(far.filter((one) => one >= threshold).length / 20, 9);
      expect(auroc).toBeCloseTo(areaUnderCurve(unseen, far), 9);
    }
    const order = novelty.leftOut.map(({ auroc }) => auroc);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  it('tells it without a fit for each class, where there are many', () => {
    const all = [...everything(set)];
    const task = { set, view: 1, images: everything(set), folds, isScaled: true, allowed: 0.1 };
    const taken = learnNovelty(task, 0) as Novelty;
    for (const { label, caught, auroc } of taken.leftOut) {
      const others = all.filter((i) => set.labels[i] !== label);
      const own = all.filter((i) => set.labels[i] === label);
      // What is alike in all directions is that of all classes, over the others' freedom.
      const alike = {
        spread: (varianceOf(set, all) * (all.length - 3)) / (others.length - 2),
        shrinkage: 0.5,
      };
      const far = own.map((i) => distance(set, others, row(set, i), alike));
      expect(caught).toBeCloseTo(far.filter((one) => one >= threshold).length / 20, 9);
      expect(auroc).toBeCloseTo(areaUnderCurve(unseen, far), 9);
    }
    expect(taken.leftOut).toHaveLength(3);
    expect(taken.layer).toEqual(novelty.layer);
  });

  it('needs images that differ, and some to calibrate on', () => {
    expect(learned(setOf(3, 1))).toEqual({
      reason: expect.stringContaining('too few images of a class') as string,
    });
    expect(learned(set, [])).toEqual({
      reason: expect.stringContaining('(0; at least 10 are needed)') as string,
    });
    const alike = setOf(3, 20, 0);
    expect(learned(alike)).toHaveProperty('reason');
    expect(learned(setOf(2, 8))).toHaveProperty('layer');
    // One class has a single image: it is in every fold or judges nothing.
    const lonely = setOf(3, 20);
    lonely.labels.fill(1, 41);
    expect(learned(lonely)).toHaveProperty('layer');
  });

  it('has a quantile that one more image would not exceed too often', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
    expect(Math.floor(quantile(hundred, 0.02))).toBe(99);
    expect(Math.floor(quantile([3, 1, 2], 0.02))).toBe(3);
  });
});

describe('the temperature', () => {
  it('is that by which scores were made too bold', () => {
    const next = chance(9);
    const classes = 3;
    const labels = new Int32Array(3000);
    const scores = new Float64Array(labels.length * classes);
    for (let i = 0; i < labels.length; i++) {
      const shares = unit3([next(), next(), next()]);
      const at = next();
      labels[i] = at < shares[0]! ? 0 : at < shares[0]! + shares[1]! ? 1 : 2;
      for (let k = 0; k < classes; k++) scores[i * classes + k] = 3 * Math.log(shares[k]!);
    }
    expect(temperatureOf({ scores, labels, classes })).toBeCloseTo(3, 0);
    const right = labels.map((_, i) =>
      [0, 1, 2].reduce((a, b) => (scores[3 * i + b]! > scores[3 * i + a]! ? b : a)),
    );
    expect(temperatureOf({ scores, labels: right, classes })).toBeCloseTo(0.05, 2);
    expect(temperatureOf({ scores: new Float64Array(), labels: new Int32Array(), classes })).toBe(1);
  });

  it('tells how far confidences are off before and after, where there are enough images', () => {
    const labels = Int32Array.from({ length: 100 }, (_, i) => (i % 4 === 0 ? 1 : 0));
    const scores = Float64Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 8 : 0));
    const { temperature, before, after } = calibrate({ scores, labels, classes: 2 })!;
    expect([before, after].map((error) => Number(error.toFixed(2)))).toEqual([0.25, 0]);
    expect(temperature).toBeCloseTo(8 / Math.log(3), 2);
    const few = { scores: scores.subarray(0, 80), labels: labels.subarray(0, 40), classes: 2 };
    expect(calibrate(few)).toBeUndefined();
  });

  it('divides the scores of a head', () => {
    const set = setOf(2, 3);
    const values = Float64Array.from({ length: 2 * features + 2 }, (_, i) => i / 7);
    const head = { classes: 2, features, values };
    const before = scoresOf(head, set, 1);
    const after = scoresOf(cooled(head, 2), set, 1);
    expect(before.scores).toHaveLength(12);
    for (const [i, score] of before.scores.entries()) expect(after.scores[i]).toBeCloseTo(score / 2, 9);
  });
});

const unit3 = (values: number[]) => {
  const total = values.reduce((sum, value) => sum + value, 0);
  return values.map((value) => value / total);
};

describe('the calibration error', () => {
  it('is how far confidences are from what is right', () => {
    const answers = (score: number, right: number, wrong: number) => [
      ...Array.from({ length: right }, () => ({ truth: 0, top: [{ label: 0, score }] })),
      ...Array.from({ length: wrong }, () => ({ truth: 1, top: [{ label: 0, score }] })),
    ];
    expect(calibrationError(answers(0.75, 3, 1))).toBeCloseTo(0, 9);
    expect(calibrationError([...answers(0.9, 1, 1), ...answers(0.5, 2, 0)])).toBeCloseTo(0.45, 9);
    expect(calibrationError(answers(1, 1, 3))).toBeCloseTo(0.75, 9);
  });

  it('and the area under the curve is how often the greater is the greater', () => {
    expect(areaUnderCurve([1, 2, 3], [4, 5])).toBe(1);
    expect(areaUnderCurve([3, 1, 2], [2])).toBe(0.5);
    expect(areaUnderCurve([1, 2], [0, 3])).toBe(0.5);
  });
});
