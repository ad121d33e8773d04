/** Which model `model compare` tells to take. */
import { describe, expect, it } from 'vitest';
import type { Comparison } from '../../../src/lib/learning/evaluate/compare.ts';
import type { ComparedModel } from '../../../src/lib/learning/evaluate/comparison.ts';
import { metricsOf } from '../../../src/lib/learning/evaluate/metrics.ts';
import { recommend } from '../../../src/lib/learning/evaluate/recommend.ts';
import { comparisonPage } from '../../../src/lib/learning/evaluate/report/comparison-page.ts';

type Behind = [mean: number, low: number, high: number] | null;

/** `right` of 100 images; the first class of two is the truth of all. */
function compared(name: string, right: number, ms: number, behind?: Behind): ComparedModel {
  const answers = Array.from({ length: 100 }, (_, i) => ({
    path: `/absent/${i}.png`,
    truth: 0,
    top: [{ label: i < right ? 0 : 1, score: 0.9 }],
  }));
  const labels = ['a', 'b'];
  const model = { name, version: '1', digest: `sha256:${'0'.repeat(64)}` };
  return {
    name,
    judgement: { model, labels, answers, metrics: metricsOf(labels, answers), unreadable: [], inferMs: ms },
    interval95: null,
    ms,
    cpuMs: ms,
    bytes: 5e6,
    ...(behind !== undefined && {
      behind: behind && { mean: behind[0], low: behind[1], high: behind[2] },
    }),
  };
}

function comparison(best: ComparedModel, ...others: ComparedModel[]): Comparison {
  return {
    models: [...others, best],
    best,
    images: 296,
    groups: { count: 70, largest: 9 },
    classes: ['a', 'b'],
    leftOut: [],
    dataDigest: 'sha256:0',
    unreadable: [],
    passedOver: { passedOver: 0, passedOverKinds: {} },
  };
}

const told = (best: ComparedModel, ...others: ComparedModel[]) => {
  const { model, words } = recommend(comparison(best, ...others));
  return [model?.name, words];
};

describe('recommend', () => {
  it('says in one word why', () => {
    const why = (best: ComparedModel, ...others: ComparedModel[]) =>
      recommend(comparison(best, ...others)).because;
    const like = (ms: number, right = 79) => compared('like', right, ms, [0.01, -0.02, 0.04]);
    expect(why(compared('best', 80, 10), compared('worse', 70, 5, [0.1, 0.05, 0.15]))).toBe('better');
    expect(why(compared('best', 80, 16), like(10))).toBe('faster');
    expect(why(compared('best', 80, 10), like(10))).toBe('right more often');
    expect(why(compared('best', 79, 10), like(10))).toBe('equal');
    expect(why(compared('best', 80, 10), compared('other', 70, 10, null))).toBe('too early');
  });

  it('takes what is better beyond chance, with its price', () => {
    expect(told(compared('lite0', 80, 16), compared('groc', 77, 10, [0.031, 0.009, 0.052]))).toEqual([
      'lite0',
      'Take lite0: 3.1 points (0.9 to 5.2) better than groc, at 1.6 times the time.',
    ]);
    expect(told(compared('new', 80, 10.2), compared('old', 70, 10, [0.1, 0.05, 0.15]))[1]).toBe(
      'Take new: 10.0 points (5.0 to 15.0) better than old, in the same time.',
    );
  });

  it('measures the best of several by the next best', () => {
    const others = [compared('b', 60, 9, [0.2, 0.1, 0.3]), compared('c', 70, 20, [0.1, 0.04, 0.16])];
    expect(told(compared('a', 80, 10), ...others)).toEqual([
      'a',
      'Take a: 10.0 points (4.0 to 16.0) better than c, the next best, at 0.5 times the time.',
    ]);
  });

  it('takes the faster one where no difference can be seen, and says what that may cost', () => {
    expect(told(compared('lite0', 80, 16), compared('groc', 79, 10, [0.01, -0.02, 0.04]))).toEqual([
      'groc',
      'No difference can be seen with 296 images in 70 groups (lite0 may be up to 4.0 points better): ' +
        'take groc, the faster one.',
    ]);
    expect(told(compared('best', 80, 5), compared('slow', 79, 10, [0.01, -0.02, 0.04]))).toEqual([
      'best',
      'No difference can be seen with 296 images in 70 groups: take best, the faster one.',
    ]);
  });

  it('takes the more accurate one where the time is the same, and any where that is too', () => {
    const like = compared('like', 79, 10, [0.01, -0.02, 0.04]);
    expect(told(compared('best', 80, 10.8), like)).toEqual([
      'best',
      'No difference can be seen with 296 images in 70 groups, and best and like take the same time: ' +
        'take best, which was right more often.',
    ]);
    expect(told(compared('best', 79, 9.8), like)[1]).toMatch(
      /70 groups, and best .* time: take any of these\.$/,
    );
  });

  it('never takes a fast model that is worse', () => {
    const others = [
      compared('fast', 50, 1, [0.3, 0.2, 0.4]),
      compared('mid', 79, 6, [0.01, -0.01, 0.03]),
      compared('slow', 79, 30, [0.01, -0.01, 0.03]),
    ];
    expect(told(compared('best', 80, 10), ...others)).toEqual([
      'mid',
      'No difference between mid, slow and best can be seen with 296 images in 70 groups (best may be up to 3.0 points ' +
        'better): take mid, the fastest of them.',
    ]);
  });

  it('tells nothing by too few groups', () => {
    const few = {
      ...comparison(compared('a', 80, 16), compared('b', 70, 10, null)),
      groups: { count: 3, largest: 9 },
    };
    expect(recommend(few)).toMatchObject({
      model: undefined,
      words: expect.stringMatching(/^Too early to say: 3 of/) as string,
    });
  });
});

describe('the page', () => {
  it('has the sentence, a row a model, and where they differ; nothing from outside is markup', async () => {
    const hostile = '<img src=x onerror=alert(1)>';
    const other = { ...compared(hostile, 70, 10, [0.1, 0.04, 0.16]), unknown: 0.02 };
    const page = await comparisonPage(comparison(compared('best', 80, 16), other), '2026-11-29T10:00:00Z');
    expect(page).not.toContain('<img src=x');
    expect(page).toContain('10.0 points (4.0 to 16.0) better than &#60;img');
    expect(page).toContain('10.0 (4.0 to 16.0)');
    expect(page).toMatch(/called unknown[^]*2\.0 %/);
    expect(page).toContain('Only best is right (10); the other’s answers');
    expect(page).toContain('70, the largest has');
  });
});
