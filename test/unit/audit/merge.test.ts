/** The join of two sorted streams against what sets say, and how far it pulls. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeJoin } from '../../../src/lib/pipeline/audit/objects.ts';
import { compareKeys } from '../../../src/lib/systems/objects/store.ts';

interface Source extends AsyncIterable<{ key: string }> {
  pulled: number;
  closed: boolean;
}

function source(keys: readonly string[]): Source {
  const made: Source = {
    pulled: 0,
    closed: false,
    // eslint-disable-next-line @typescript-eslint/require-await -- a source is asynchronous
    async *[Symbol.asyncIterator]() {
      try {
        for (const key of keys) {
          made.pulled++;
          yield { key };
        }
      } finally {
        made.closed = true;
      }
    },
  };
  return made;
}

async function joined(left: readonly string[], right: readonly string[]) {
  const [lefts, rights] = [source(left), source(right)];
  const found: { left: string[]; right: string[]; both: string[]; order: string[] } = {
    left: [],
    right: [],
    both: [],
    order: [],
  };
  for await (const { left, right } of mergeJoin(lefts, rights)) {
    const side = left && right ? 'both' : left ? 'left' : 'right';
    const { key } = left ?? right;
    found[side].push(key);
    found.order.push(key);
    if (left && right) expect(left.key).toBe(right.key);
  }
  return { ...found, closed: lefts.closed && rights.closed };
}

/** Letters of one to four bytes: in UTF-16 the last two sort the other way round. */
const keys = fc
  .uniqueArray(fc.string({ unit: fc.constantFrom('a', 'b', '/', 'é', '\uffee', '😀'), minLength: 1 }))
  .map((list) => list.sort(compareKeys));

describe('mergeJoin', () => {
  it('finds what both have and what only one has, in byte order', async () => {
    await fc.assert(
      fc.asyncProperty(keys, keys, async (left, right) => {
        const [lefts, rights] = [new Set(left), new Set(right)];
        const found = await joined(left, right);
        expect(found.both).toEqual(left.filter((key) => rights.has(key)));
        expect(found.left).toEqual(left.filter((key) => !rights.has(key)));
        expect(found.right).toEqual(right.filter((key) => !lefts.has(key)));
        const bytes = [...new Set([...left, ...right])]
          .map((key) => Buffer.from(key))
          .sort((a, b) => Buffer.compare(a, b));
        expect(found.order).toEqual(bytes.map(String));
        expect(found.closed).toBe(true);
      }),
    );
  });

  it('holds one item of each side', async () => {
    const lefts = source(Array.from({ length: 1000 }, (_, n) => `k${1000 + n}`));
    const rights = source([...'abcdefghij']);
    let taken = 0;
    for await (const _ of mergeJoin(lefts, rights)) {
      taken++;
      expect(lefts.pulled + rights.pulled).toBeLessThanOrEqual(taken + 2);
    }
    expect(taken).toBe(1010);
  });

  it('refuses a side that is not in order, or names a key twice, and closes both', async () => {
    await expect(joined(['a', 'c', 'b'], ['a'])).rejects.toMatchObject({ code: 'unordered' });
    await expect(joined([], ['a', 'a'])).rejects.toMatchObject({ code: 'unordered' });
    const [lefts, rights] = [source(['b', 'a']), source(['c', 'd'])];
    await expect(
      (async () => {
        for await (const _ of mergeJoin(lefts, rights));
      })(),
    ).rejects.toMatchObject({ code: 'unordered' });
    expect([lefts.closed, rights.closed]).toEqual([true, true]);
  });

  it('closes both when its taker leaves', async () => {
    const [lefts, rights] = [source(['a', 'b']), source(['c', 'd'])];
    for await (const _ of mergeJoin(lefts, rights)) break;
    expect([lefts.closed, rights.closed]).toEqual([true, true]);
  });
});
