/** The head's solver: against functions whose minimum is known, and against the conditions that an optimum fulfils. */
import { describe, expect, it } from 'vitest';
import { likenessFolds } from '../../../src/lib/learning/train/head/cross-validate.ts';
import {
  fitHead,
  judgeHead,
  type ViewedFeatures,
  minimize,
} from '../../../src/lib/learning/train/head/fit.ts';
import { SoftmaxObjective } from '../../../src/lib/learning/train/head/objective.ts';
import { addProduct } from '../../../src/lib/learning/train/head/product.ts';
import { unwhiten, whiten, whitened, whiteningOf } from '../../../src/lib/learning/train/head/whitening.ts';
import { chance } from '../../support/squeezenet-models.ts';

function gaussian(seed: number): () => number {
  const next = chance(seed);
  return () => Math.sqrt(-2 * Math.log(next() + 1e-12)) * Math.cos(2 * Math.PI * next());
}

/** Overlapping clouds of points, so that the best head makes mistakes and its weights are finite. */
function clouds(perClass: number, classes: number, features: number, views = 1, seed = 1): ViewedFeatures {
  const next = gaussian(seed);
  const centres = Float64Array.from({ length: classes * features }, () => 0.8 * next());
  const labels = Int32Array.from({ length: perClass * classes }, (_, i) => i % classes);
  const data = new Float32Array(labels.length * views * features);
  for (let i = 0; i < data.length; i++) {
    const [row, j] = [Math.floor(i / features), i % features];
    const label = labels[Math.floor(row / views)]!;
    // Features of different sizes, as a network's are.
    data[i] = (10 + centres[label * features + j]! + next()) * (1 + (j % 5));
  }
  return { data, features, views, labels, classes };
}

const all = (set: ViewedFeatures) => Int32Array.from(set.labels.keys());

describe('products', () => {
  it.each([
    [8, 4, 16],
    [7, 5, 3],
    [1, 1, 1],
    [4, 9, 64],
    [3, 12, 10],
  ])('of %d by %d rows of %d', (m, p, n) => {
    const next = chance(m * p);
    const a = Float64Array.from({ length: m * n }, next);
    const b = Float64Array.from({ length: p * n }, next);
    const out = new Float64Array(m * p).fill(1);
    addProduct(a, b, out, [m, p, n]);
    for (let i = 0; i < m; i++) {
      for (let k = 0; k < p; k++) {
        let sum = 1;
        for (let j = 0; j < n; j++) sum += a[i * n + j]! * b[k * n + j]!;
        expect(out[i * p + k]).toBeCloseTo(sum, 12);
      }
    }
  });
});

describe('minimize', () => {
  it('finds the minimum of a badly scaled quadratic', () => {
    const size = 40;
    const centre = Float64Array.from({ length: size }, (_, i) => Math.sin(i));
    const curvature = Float64Array.from({ length: size }, (_, i) => 10 ** (i / 13));
    const quadratic = {
      size,
      evaluate(at: Float64Array, gradient: Float64Array) {
        let value = 3;
        for (let i = 0; i < size; i++) {
          gradient[i] = curvature[i]! * (at[i]! - centre[i]!);
          value += 0.5 * gradient[i]! * (at[i]! - centre[i]!);
        }
        return value;
      },
    };
    const { at, value, iterations } = minimize(quadratic, new Float64Array(size), {
      tolerance: 1e-6,
      maxIterations: 500,
    });
    expect(value).toBeCloseTo(3, 9);
    for (const [i, x] of at.entries()) expect(x).toBeCloseTo(centre[i]!, 4);
    expect(iterations).toBeLessThan(300);
  });
});

describe('the objective', () => {
  it('has the gradient that differences show', () => {
    const set = clouds(30, 4, 6);
    const rows = { ...set, data: set.data.map((x) => 0.1 * (x - 0.5)), rows: all(set) };
    const objective = new SoftmaxObjective(rows, 4, 0.05);
    const next = gaussian(3);
    const at = Float64Array.from({ length: objective.size }, () => 0.1 * next());
    const gradient = new Float64Array(objective.size);
    objective.evaluate(at, gradient);
    const spare = new Float64Array(objective.size);
    for (let i = 0; i < at.length; i++) {
      const beside = (by: number) => objective.evaluate(at.with(i, at[i]! + by), spare);
      expect((beside(1e-5) - beside(-1e-5)) / 2e-5).toBeCloseTo(gradient[i]!, 6);
    }
  });
});

describe('whitening', () => {
  const set = clouds(50, 4, 6, 1, 9);
  const rows = { ...set, rows: all(set) };
  const whitening = whiteningOf(rows, 4);
  const z = whitened(rows, whitening);

  it('makes features that go together independent within the classes', () => {
    // As large as the largest, and nearly one another.
    for (let i = 0; i < set.data.length; i += 6) {
      set.data[i]! *= 5;
      set.data[i + 1] = set.data[i]! + 0.5 * set.data[i + 1]!;
    }
    const other = whitened(rows, whiteningOf(rows, 4));
    const covariance = (data: Float32Array, a: number, b: number) => {
      const mean = (label: number, j: number) => {
        const own = [...all(set)].filter((image) => set.labels[image] === label);
        return own.reduce((sum, image) => sum + data[image * 6 + j]! / own.length, 0);
      };
      return [...all(set)].reduce((sum, image) => {
        const label = set.labels[image]!;
        return sum + (data[image * 6 + a]! - mean(label, a)) * (data[image * 6 + b]! - mean(label, b));
      }, 0);
    };
    const correlation = (data: Float32Array) =>
      covariance(data, 0, 1) / Math.sqrt(covariance(data, 0, 0) * covariance(data, 1, 1));
    expect(correlation(set.data)).toBeGreaterThan(0.9);
    expect(Math.abs(correlation(other))).toBeLessThan(0.7); // not 0: a fifth of the covariance is taken to be alike
  });

  it('has variance 1 in the mean, around 0', () => {
    expect(z.reduce((sum, value) => sum + value * value, 0) / z.length).toBeCloseTo(1, 5);
    expect(z.reduce((sum, value) => sum + value, 0) / z.length).toBeCloseTo(0, 5);
  });

  it('goes into the weights and out of them again', () => {
    const next = gaussian(4);
    const at = Float64Array.from({ length: 4 * 7 }, next);
    const values = unwhiten(at, 4, whitening);
    expect([...whiten(values, 4, whitening)].every((x, i) => Math.abs(x - at[i]!) < 1e-9)).toBe(true);
    const again = clouds(50, 4, 6, 1, 9); // as they were when the whitening was made
    for (const image of [0, 101]) {
      for (let k = 0; k < 4; k++) {
        let [plain, white] = [values[24 + k]!, at[24 + k]!];
        for (let j = 0; j < 6; j++) {
          plain += values[k * 6 + j]! * again.data[image * 6 + j]!;
          white += at[k * 6 + j]! * z[image * 6 + j]!;
        }
        expect(plain).toBeCloseTo(white, 4);
      }
    }
  });
});

describe('a head', () => {
  it('for one feature and two classes of equal spread is the known logistic optimum', () => {
    // x = ±1, of which 3 in 4 have the class of their side: the best scores differ by ln 3 at 1, and by -ln 3 at -1.
    const x = [1, 1, 1, 1, -1, -1, -1, -1];
    const labels = Int32Array.of(1, 1, 1, 0, 0, 0, 0, 1);
    const set = { data: Float32Array.from(x), features: 1, views: 1, labels, classes: 2 };
    const { values } = fitHead(set, { images: all(set), views: [0], penalty: 0, tolerance: 1e-10 });
    expect(values[1]! - values[0]!).toBeCloseTo(Math.log(3), 6);
    expect(values[3]! - values[2]!).toBeCloseTo(0, 6);
  });

  it('of many classes is at the optimum: no gradient is left, from wherever it starts', () => {
    const set = clouds(40, 5, 12, 2);
    const options = { images: all(set), views: [0, 1], penalty: 0.01, tolerance: 1e-9, maxIterations: 1000 };
    const cold = fitHead(set, options);
    const elsewhere = fitHead(set, { ...options, views: [0], penalty: 1 });
    const warm = fitHead(set, { ...options, start: elsewhere });
    for (const image of [0, 77, 199]) {
      const scores = ({ values }: typeof cold) => {
        const row = Array.from({ length: 5 }, (_, k) => {
          let sum = values[60 + k]!;
          for (let j = 0; j < 12; j++) sum += values[k * 12 + j]! * set.data[image * 24 + j]!;
          return sum;
        });
        return row.map((score) => score - row[0]!); // softmax knows differences only
      };
      for (const [k, score] of scores(warm).entries()) expect(score).toBeCloseTo(scores(cold)[k]!, 4);
    }
    const { top1, loss } = judgeHead(cold, set, all(set), 0);
    expect(top1).toBeGreaterThan(0.8);
    expect(loss).toBeLessThan(judgeHead(elsewhere, set, all(set), 0).loss);
  });

  it('takes no notice of a feature that never changes', () => {
    const set = clouds(20, 3, 5);
    for (let i = 0; i < set.data.length; i += 5) set.data[i] = 7;
    const { values } = fitHead(set, { images: all(set), views: [0], penalty: 0.1 });
    expect(values.every(Number.isFinite)).toBe(true);
    for (let k = 0; k < 3; k++) expect(values[k * 5]).toBeCloseTo(0, 12);
  });
});

describe('folds', () => {
  const set = clouds(40, 3, 4);
  const among = all(set);

  it('hold every image once, and some of every class', () => {
    const folds = likenessFolds(set, among, 4);
    expect(folds.flatMap(({ held }) => [...held]).sort((a, b) => a - b)).toEqual([...among]);
    for (const { images, held } of folds) {
      expect([...images, ...held].sort((a, b) => a - b)).toEqual([...among]);
      for (const part of [images, held]) {
        expect(new Set([...part].map((image) => set.labels[image]))).toEqual(new Set([0, 1, 2]));
      }
    }
  });

  it('keep a series of like images together', () => {
    // Four series of ten images a class; those of a series differ by next to nothing.
    const next = gaussian(5);
    const series = Array.from({ length: 12 }, () => Array.from({ length: 4 }, () => 100 * next()));
    const labels = Int32Array.from({ length: 120 }, (_, i) => Math.floor(i / 10) % 3);
    const data = Float32Array.from(
      { length: 480 },
      (_, i) => series[Math.floor(i / 40)]![i % 4]! + 0.01 * next(),
    );
    const alike = { data, features: 4, views: 1, labels, classes: 3 };
    for (const { held } of likenessFolds(alike, all(alike), 4)) {
      const counts = new Map<number, number>();
      for (const image of held)
        counts.set(Math.floor(image / 10), (counts.get(Math.floor(image / 10)) ?? 0) + 1);
      expect([...counts.values()].every((count) => count === 10)).toBe(true);
    }
  });

  it('deal out copies of one image', () => {
    const same = { ...set, data: new Float32Array(set.data.length).fill(2) };
    for (const { held } of likenessFolds(same, among, 4)) expect(held).toHaveLength(30);
  });
});
