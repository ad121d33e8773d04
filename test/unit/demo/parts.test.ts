/** What the demo makes of drawn parts: accuracy, the report's lines. */
import { describe, expect, it } from 'vitest';
import { accuracyOf, withTruth } from '../../../src/lib/local/demo/parts.ts';
import { partsReport } from '../../../src/lib/local/demo/shown.ts';

const truth = new Map([
  ['demo-parts/red gear/0001.jpg', 'red gear'],
  ['demo-parts/red gear/0002.jpg', 'red gear'],
  ['demo-parts/blue nut/0001.jpg', 'blue nut'],
  ['demo-parts/blue nut/0002.jpg', 'blue nut'],
]);

function answer(imageKey: string, category: string, confidence = 90) {
  return { imageKey, category, confidence, novelty: null };
}

const answers = [
  answer('demo-parts/red gear/0001.jpg', 'red gear'),
  answer('demo-parts/red gear/0002.jpg', 'red nut', 40),
  answer('demo-parts/blue nut/0001.jpg', 'blue washer', 60),
  answer('elsewhere.jpg', 'red gear'),
];

describe('accuracyOf', () => {
  it('counts what is right of all images, those without a prediction too', () => {
    const judged = withTruth(answers, truth);
    expect(judged.map(({ imageKey }) => imageKey)).not.toContain('elsewhere.jpg');
    const { accuracy, right, mistakes } = accuracyOf(judged, truth.size);
    expect([accuracy, right]).toEqual([0.25, 1]);
    expect(mistakes.map(({ truth: shown, category }) => [shown, category])).toEqual([
      ['blue nut', 'blue washer'],
      ['red gear', 'red nut'],
    ]);
  });
});

describe('partsReport', () => {
  it('says how many are right, which are not, and counts every kind', () => {
    const lines = partsReport({ ...accuracyOf(withTruth(answers, truth), truth.size), truth }).join('\n');
    expect(lines).toContain('1 of 4 parts classified correctly (colour and shape): 25.0 %');
    expect(lines).toMatch(/^gear +1\/2( +0){5}$/m);
    expect(lines).toMatch(/^bolt( +0){6}$/m);
    expect(lines).toContain('blue nut → blue washer (60 %)  demo-parts/blue nut/0001.jpg');
  });

  it('says nothing of mistakes where there are none', () => {
    const all = [...truth].map(([imageKey, label]) => ({ ...answer(imageKey, label), truth: label }));
    const lines = partsReport({ ...accuracyOf(all, truth.size), truth }).join('\n');
    expect(lines).toContain('4 of 4 parts classified correctly');
    expect(lines).not.toContain('mistakes');
  });
});
