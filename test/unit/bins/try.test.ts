import { describe, expect, it } from 'vitest';
import type { BinRules } from '../../../src/lib/systems/bins/rules.ts';
import { tryRules } from '../../../src/lib/systems/bins/try.ts';

const rules = (bins: Record<string, string[]>, confidence = 0): BinRules => ({
  manual: 'manual',
  unknown: 'manual',
  bins: Object.entries(bins).map(([bin, classes]) => ({ bin, classes, confidence, margin: 0 })),
});
const result = (n: number, category: string, confidence = 90, novelty: number | null = null) => ({
  id: `r${n}`,
  imageKey: `${n}.png`,
  category,
  top: [{ category, confidence }],
  novelty,
});

describe('rules that are tried', () => {
  it('tell what moves, the most first, and what is where, now and then', () => {
    const results = ['a', 'a', 'a', 'b', 'b', 'c'].map((category, n) => result(n, category));
    const tried = tryRules(rules({ left: ['a'], right: ['b'] }), rules({ left: ['b'], far: ['a'] }), results);
    expect(tried.results).toBe(6);
    expect(tried.moves.map(({ from, to, results }) => [from, to, results])).toEqual([
      ['left', 'far', 3],
      ['right', 'left', 2],
    ]);
    expect(tried.bins).toEqual([
      { bin: 'far', now: 0, then: 3 },
      { bin: 'left', now: 3, then: 2 },
      { bin: 'manual', now: 1, then: 1 },
      { bin: 'right', now: 2, then: 0 },
    ]);
    expect(tried.moves[1]!.examples).toEqual([
      { id: 'r3', imageKey: '3.png', category: 'b' },
      { id: 'r4', imageKey: '4.png', category: 'b' },
    ]);
  });

  it('decide by confidence and by what is unknown too', () => {
    const results = [result(0, 'a', 70), result(1, 'a', 90), result(2, 'a', 99, 1.5)];
    const then = { ...rules({ left: ['a'] }, 80), unknown: 'foreign' };
    const { moves } = tryRules(rules({ left: ['a'] }), then, results);
    expect(moves.map(({ from, to }) => [from, to])).toEqual([
      ['left', 'manual'],
      ['manual', 'foreign'],
    ]);
  });

  it('show twelve examples in all, and count all of what had no bin', () => {
    const results = Array.from({ length: 1000 }, (_, n) => result(n, `c${n % 20}`));
    const then = rules(Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`b${n}`, [`c${n}`]])));
    const { moves } = tryRules(null, then, results);
    expect(moves).toHaveLength(20);
    expect(moves.reduce((sum, move) => sum + move.results, 0)).toBe(1000);
    expect(moves.flatMap(({ examples }) => examples)).toHaveLength(12);
    expect(tryRules(null, rules({ all: ['*'] }), results).moves[0]!.examples).toHaveLength(12);
  });
});
