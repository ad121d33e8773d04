/** The division into images that train and images that judge: whole groups, the same at every run. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Example } from '../../../src/lib/learning/datasets/dataset.ts';
import { contentGroups, heldGroups, splitByGroups } from '../../../src/lib/learning/groups/groups.ts';

interface Grouped extends Example {
  group: number;
}

/** `sizes[class][group]` images. */
function examples(sizes: readonly (readonly number[])[]): Grouped[] {
  let group = 0;
  return sizes.flatMap((groups, label) =>
    groups.flatMap((count) => {
      group++;
      return Array.from({ length: count }, (_, i) => {
        const path = `${label}/${group}-${i}`;
        return { path, label, group, sha256: createHash('sha256').update(path).digest('hex') };
      });
    }),
  );
}

const singly = (counts: readonly number[]) =>
  examples(counts.map((count) => new Array<number>(count).fill(1)));

function split(all: readonly Grouped[], share: number, seed: number) {
  const { held, oneGroup } = splitByGroups(
    all,
    Int32Array.from(all, ({ group }) => group),
    share,
    seed,
  );
  const side = (wanted: boolean) => all.filter((_, i) => held[i] === wanted);
  return { train: side(false), held: side(true), oneGroup };
}

const paths = (some: readonly Example[]) => some.map(({ path }) => path);

describe('a split by groups', () => {
  it('has no group on both sides, some of every class to learn from, and depends on contents and seed alone', () => {
    const sizes = fc.array(fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 }), {
      minLength: 2,
      maxLength: 6,
    });
    fc.assert(
      fc.property(sizes, fc.double({ min: 0.05, max: 0.95, noNaN: true }), fc.nat(), (given, share, seed) => {
        const all = examples(given);
        const { train, held, oneGroup } = split(all, share, seed);
        expect([...paths(train), ...paths(held)].sort()).toEqual(paths(all).sort());
        const learned = new Set(train.map(({ group }) => group));
        expect(held.some(({ group }) => learned.has(group))).toBe(false);
        for (const [label, groups] of given.entries()) {
          expect(train.some((example) => example.label === label)).toBe(true);
          expect(held.some((example) => example.label === label)).toBe(groups.length > 1);
          expect(oneGroup.includes(label)).toBe(groups.length === 1);
        }
        const again = split([...all].reverse(), share, seed);
        expect(new Set(paths(again.held))).toEqual(new Set(paths(held)));
      }),
    );
  });

  it('holds back the share of each class where every image is a group of its own', () => {
    const counts = fc.array(fc.integer({ min: 2, max: 40 }), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(
        counts,
        fc.double({ min: 0.05, max: 0.95, noNaN: true }),
        fc.nat(),
        (given, share, seed) => {
          const { held } = split(singly(given), share, seed);
          for (const [label, size] of given.entries()) {
            const count = held.filter((example) => example.label === label).length;
            // The nearest there is: a half may be rounded either way.
            const wanted = Math.min(Math.max(1, share * size), size - 1);
            expect(Math.abs(count - wanted)).toBeLessThanOrEqual(0.5 + 1e-9);
          }
        },
      ),
    );
  });

  it('takes the groups that come nearest to the share, and never the bulk of a class for it', () => {
    const { held } = split(
      examples([
        [30, 4, 3, 3],
        [10, 10, 10, 10, 10],
      ]),
      0.2,
      1,
    );
    expect(held.filter(({ label }) => label === 0).length).toBeLessThanOrEqual(10);
    expect(held.filter(({ label }) => label === 1)).toHaveLength(10);
  });

  it('holds back groups that span classes as a whole, and leaves every class some to learn from', () => {
    const spans = fc.array(fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 2, maxLength: 4 }), {
      minLength: 1,
      maxLength: 7,
    });
    fc.assert(
      fc.property(spans, fc.double({ min: 0.05, max: 0.95, noNaN: true }), fc.nat(), (given, share, seed) => {
        // `given[group][class]` images.
        const all = given.flatMap((sizes, group) =>
          sizes.flatMap((count, label) =>
            examples([[count]]).map((example, i) => {
              const path = `${label}/${group}-${i}`;
              const sha256 = createHash('sha256').update(path).digest('hex');
              return { ...example, path, sha256, label, group };
            }),
          ),
        );
        const { train, held } = split(all, share, seed);
        const learned = new Set(train.map(({ group }) => group));
        expect(held.some(({ group }) => learned.has(group))).toBe(false);
        expect(new Set(train.map(({ label }) => label))).toEqual(new Set(all.map(({ label }) => label)));
      }),
    );
  });

  it('differs from seed to seed', () => {
    const all = singly([50, 50]);
    expect(paths(split(all, 0.2, 1).held)).not.toEqual(paths(split(all, 0.2, 2).held));
  });

  it('hardly changes when images join', () => {
    const before = paths(split(singly([100, 100]), 0.2, 3).held);
    const more = examples([[...new Array<number>(100).fill(1)], [...new Array<number>(100).fill(1)]]);
    const joined = [5, 6, 7].map((i) => ({
      ...more[0]!,
      path: `0/new-${i}`,
      group: -i,
      sha256: createHash('sha256').update(`new ${i}`).digest('hex'),
    }));
    const after = new Set(paths(split([...more, ...joined], 0.2, 3).held));
    expect(before.filter((path) => after.has(path)).length).toBeGreaterThanOrEqual(38);
  });

  it('keeps copies of an image together', () => {
    const all = singly([10, 10]).flatMap((example) => [
      example,
      { ...example, path: `${example.path} copy` },
    ]);
    const groups = contentGroups(all);
    const { held } = splitByGroups(all, groups, 0.3, 1);
    expect(held.filter(Boolean)).toHaveLength(12);
    for (let i = 0; i < all.length; i += 2) expect(held[i]).toBe(held[i + 1]);
    expect(heldGroups(groups)).toEqual({ count: 20, largest: 2 });
  });
});
