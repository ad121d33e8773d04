/** Training heads on very few images: fewer folds, or none, and never a figure that is none. */
import { describe, expect, it } from 'vitest';
import { crossValidate, likenessFolds } from '../../../src/lib/learning/train/head/cross-validate.ts';
import { fitHead, judgeHead, type ViewedFeatures } from '../../../src/lib/learning/train/head/fit.ts';
import type { Fitters } from '../../../src/lib/learning/train/head/fitters.ts';
import { chance } from '../../support/squeezenet-models.ts';

const features = 6;

function setOf(counts: readonly number[], alike = false): ViewedFeatures {
  const labels = Int32Array.from(counts.flatMap((count, label) => new Array<number>(count).fill(label)));
  const next = chance(3);
  const data = Float32Array.from({ length: labels.length * features }, (_, i) =>
    alike ? 1 : next() + labels[Math.floor(i / features)]!,
  );
  return { data, features, views: 1, labels, classes: counts.length };
}

const fitters: Pick<Fitters, 'fit'> = {
  fit: ({ set, images, held, views, penalty, start }) => {
    const head = fitHead(set, { images, views, penalty, start, maxIterations: 30 });
    const fitness = held.length > 0 ? judgeHead(head, set, held, views[0]!) : undefined;
    return Promise.resolve({ head, fitness });
  },
};

const validated = (set: ViewedFeatures) =>
  crossValidate(set, {
    zooms: 1,
    flips: false,
    fitters,
    onProgress: () => undefined,
  });

describe('cross-validation of few images', () => {
  it.each([[[1, 1]], [[1, 1, 1]]])('%j: tries nothing, and chooses what is usual', async (counts) => {
    expect(likenessFolds(setOf(counts), Int32Array.from(setOf(counts).labels.keys()), 4)).toEqual([]);
    expect(await validated(setOf(counts))).toEqual({
      chosen: { zoom: 0, augmentation: 'none', penalty: 0.001 },
      tried: [],
      folds: [],
    });
  });

  it.each([[[2, 1]], [[2, 2]], [[3, 1, 2]], [[5, 1]], [[3, 3]]])('%j: has figures', async (counts) => {
    for (const set of [setOf(counts), setOf(counts, true)]) {
      const { chosen, tried, start } = await validated(set);
      for (const { loss, top1 } of [chosen, ...tried]) {
        expect(Number.isFinite(loss)).toBe(true);
        expect(top1).toBeGreaterThanOrEqual(0);
        expect(top1).toBeLessThanOrEqual(1);
      }
      expect(start!.values.every(Number.isFinite)).toBe(true);
    }
  });

  it('judges no class by a head that never saw it', () => {
    const set = setOf([4, 1]);
    const folds = likenessFolds(set, Int32Array.from(set.labels.keys()), 4);
    expect(folds.length).toBeGreaterThan(1);
    for (const { images, held } of folds) {
      const learned = new Set(Array.from(images, (image) => set.labels[image]));
      for (const image of held) expect(learned).toContain(set.labels[image]);
    }
  });
});
