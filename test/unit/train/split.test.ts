/** The division into images that train and images that judge. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Example } from '../../../src/lib/learning/datasets/dataset.ts';
import { splitStratified } from '../../../src/lib/learning/datasets/sets.ts';

function examples(counts: readonly number[]): Example[] {
  return counts.flatMap((count, label) =>
    Array.from({ length: count }, (_, i) => {
      const path = `${label}/${i}`;
      return { path, label, sha256: createHash('sha256').update(path).digest('hex') };
    }),
  );
}

describe('a stratified split', () => {
  it('keeps every class on both sides, loses nothing, and depends on contents and seed alone', () => {
    const counts = fc.array(fc.integer({ min: 2, max: 40 }), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(
        counts,
        fc.double({ min: 0.05, max: 0.95, noNaN: true }),
        fc.nat(),
        (sizes, share, seed) => {
          const all = examples(sizes);
          const { train, held } = splitStratified(all, share, seed);
          expect([...train, ...held].map(({ path }) => path).sort()).toEqual(
            all.map(({ path }) => path).sort(),
          );
          for (const [label, size] of sizes.entries()) {
            const count = held.filter((example) => example.label === label).length;
            expect(count).toBe(Math.min(Math.max(1, Math.round(share * size)), size - 1));
          }
          const again = splitStratified([...all].reverse(), share, seed);
          expect(new Set(again.held.map(({ path }) => path))).toEqual(new Set(held.map(({ path }) => path)));
        },
      ),
    );
  });

  it('differs from seed to seed', () => {
    const all = examples([50, 50]);
    const held = (seed: number) =>
      splitStratified(all, 0.2, seed)
        .held.map(({ path }) => path)
        .join();
    expect(held(1)).not.toBe(held(2));
  });

  it('hardly changes when images join', () => {
    const before = splitStratified(examples([100, 100]), 0.2, 3).held.map(({ path }) => path);
    const after = new Set(splitStratified(examples([105, 100]), 0.2, 3).held.map(({ path }) => path));
    expect(before.filter((path) => after.has(path)).length).toBeGreaterThanOrEqual(38);
  });

  it('keeps copies of an image together', () => {
    const all = examples([10, 10]).flatMap((example) => [
      example,
      { ...example, path: `${example.path} copy` },
    ]);
    const { train, held } = splitStratified(all, 0.3, 1);
    const contents = new Set(train.map(({ sha256 }) => sha256));
    expect(held.some(({ sha256 }) => contents.has(sha256))).toBe(false);
    expect(held).toHaveLength(12);
  });

  it('names the classes that have one image only', () => {
    const all = examples([5, 1, 1]);
    expect(() => splitStratified(all, 0.2, 1, ['a', 'b', 'c'])).toThrow(/too few different images.*"b", "c"/);
  });
});
