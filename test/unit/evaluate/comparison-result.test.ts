/** What is told of two models on the same images. */
import { describe, expect, it } from 'vitest';
import type { Classification } from '../../../src/lib/base/classification.ts';
import { comparisonResult, type Picture } from '../../../src/lib/learning/evaluate/comparison-result.ts';
import type { Run } from '../../../src/lib/learning/evaluate/comparison.ts';
import type { LoadedModel } from '../../../src/lib/models/format/model.ts';

const labels = ['bolt', 'caf\u00e9'];

/** Unlike every other in its small copy. */
function picture(n: number, truth: string | null): Picture {
  const pixels = Uint8Array.from({ length: 216 }, (_, i) => (((i + 1) * (n + 3) * 7919) % 257) & 255);
  const label = truth === null ? -1 : labels.indexOf(truth.normalize());
  return { path: `${n}.png`, label, sha256: `${n}`, truth, print: { words: [n, n, n, n], pixels } };
}

function run(name: string, categories: readonly string[], novelty?: number): Run {
  const info = { name, version: '1', digest: `sha256:${name}`, labels };
  const answers = categories.map((category): Classification => ({
    model: info,
    top: [{ category, confidence: 80 }],
    stages: { decode: 1, preprocess: 1, infer: 1 },
    ...(novelty !== undefined && { novelty }),
  }));
  const model = { info, weights: new Uint8Array(1) } as unknown as LoadedModel;
  return { model, answers, cost: { ms: 3, cpuMs: null, ...(novelty !== undefined && { unknown: 1 }) } };
}

describe('the result of a comparison', () => {
  it('shows first what one alone got right, then what is labelled, then the others', () => {
    const truths = [null, 'washer', 'bolt', 'bolt', 'bolt'];
    const images = truths.map((truth, n) => picture(n, truth));
    const runs = [
      run('a', ['bolt', 'bolt', 'café', 'café', 'bolt']),
      run('b', ['café', 'café', 'nut', 'bolt', 'bolt'], 1.5),
    ];
    const faults = Array.from({ length: 60 }, (_, n) => ({ imageKey: `gone ${n}`, reason: 'it is gone' }));
    const found = comparisonResult(labels, { images, runs }, faults);
    expect(found).toMatchObject({ images: 5, agree: 1, unusable: { count: 60 } });
    expect(found.unusable.some).toHaveLength(50);
    expect(found.differ.map(({ imageKey }) => imageKey)).toEqual(['3.png', '1.png', '2.png', '0.png']);
    expect(found.differ[0]!.said).toEqual([
      { category: 'café', confidence: 80, unknown: false, right: false },
      { category: 'bolt', confidence: 80, unknown: true, right: true },
    ]);
    expect(found.differ.at(-1)).toMatchObject({ label: null, said: [{ right: null }, { right: null }] });
    expect(found.labelled).toMatchObject({ images: 3, leftOut: [{ label: 'washer', images: 1 }] });
    expect(found.models.map(({ top1, onlyRight, unknown }) => [top1, onlyRight, unknown])).toEqual([
      [1 / 3, 0, null],
      [2 / 3, 1, 1],
    ]);
  });

  it('takes a name for the same in both forms of Unicode', () => {
    const images = [picture(0, 'cafe\u0301')];
    const runs = [run('a', ['caf\u00e9']), run('b', ['cafe\u0301'])];
    const found = comparisonResult(labels, { images, runs }, []);
    expect(found).toMatchObject({ agree: 1, differ: [], models: [{ top1: 1 }, { top1: 1 }] });
  });

  it('concludes nothing without a label', () => {
    const found = comparisonResult(
      labels,
      { images: [picture(0, null)], runs: [run('a', ['bolt']), run('b', ['bolt'])] },
      [],
    );
    expect(found).toMatchObject({ verdict: null, agree: 1, models: [{ top1: null }, { top1: null }] });
  });
});
