/** Scores to ranked categories. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rank, softmax } from '../../../src/lib/models/classifier/rank.ts';

const labels = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

describe('rank', () => {
  it('puts logits through a softmax, in percent', () => {
    const [first, second] = rank(Float32Array.of(0, Math.log(3), -100), ['x', 'y', 'z'], 'logits');
    expect(first).toEqual({ category: 'y', confidence: expect.closeTo(75, 4) as number });
    expect(second).toEqual({ category: 'x', confidence: expect.closeTo(25, 4) as number });
  });

  it('takes probabilities as they are', () => {
    expect(rank(Float32Array.of(0.25, 0.75), ['x', 'y'], 'probabilities')).toEqual([
      { category: 'y', confidence: 75 },
      { category: 'x', confidence: 25 },
    ]);
  });

  it('takes independent confidences as they are, whatever they sum to', () => {
    expect(rank(Float32Array.of(0.5, 1, 0.75), ['x', 'y', 'z'], 'sigmoid')).toEqual([
      { category: 'y', confidence: 100 },
      { category: 'z', confidence: 75 },
      { category: 'x', confidence: 50 },
    ]);
  });

  it('keeps shares within 0 and 100, and refuses what is none', () => {
    const [first, second] = rank(Float32Array.of(-0.004, 1.004), ['x', 'y'], 'sigmoid');
    expect([first!.confidence, second!.confidence]).toEqual([100, 0]);
    for (const output of ['sigmoid', 'probabilities'] as const) {
      expect(() => rank(Float32Array.of(0.5, 7), ['x', 'y'], output)).toThrow(/not a probability/);
    }
  });

  it('gives five, fewer where there are fewer classes', () => {
    expect(rank(new Float32Array(7), labels, 'logits')).toHaveLength(5);
    expect(rank(new Float32Array(3), labels, 'logits')).toHaveLength(3);
  });

  it('keeps the order of the labels among equals', () => {
    const scores = Float32Array.of(1, 2, 2, 1, 2, 1, 1);
    expect(rank(scores, labels, 'logits').map(({ category }) => category)).toEqual(['b', 'c', 'e', 'a', 'd']);
  });

  it('does not overflow', () => {
    expect([...softmax(Float32Array.of(1e5, 0))]).toEqual([1, 0]);
  });

  it.each([NaN, Infinity])('refuses %d', (bad) => {
    expect(() => rank(Float32Array.of(1, bad), ['x', 'y'], 'logits')).toThrow(
      expect.objectContaining({ code: 'model_invalid' }),
    );
  });

  it('is a sort', () => {
    const scores = fc.float32Array({ minLength: 1, maxLength: 40, noNaN: true, min: -50, max: 50 });
    fc.assert(
      fc.property(scores, (values) => {
        const names = [...values.keys()].map(String);
        const expected = [...softmax(values)].sort((a, b) => b - a).slice(0, 5);
        expect(rank(values, names, 'logits').map(({ confidence }) => confidence / 100)).toEqual(
          expected.map((share) => expect.closeTo(share, 12) as number),
        );
      }),
    );
  });
});
