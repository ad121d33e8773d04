/** Consumers that were told no partition share them: each looks for itself, and together they come to rest. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { balance } from '../../../src/lib/pipeline/consume/sharing.ts';
import type { OwnersAndSharers } from '../../../src/lib/systems/database/tables/consumers.ts';

const all = (count: number) => [...Array(count).keys()];
const owners = (...names: (string | null)[]): OwnersAndSharers['owners'] =>
  names.flatMap((owner, partition) =>
    owner === null ? [] : [{ partition, owner, hostname: 'host', mode: 'partition' as const }],
  );

describe('the fair share', () => {
  it.each([
    ['the first takes all', [null, null, null], ['a'], { release: [], claim: [0, 1, 2] }],
    ['gives back to a second that stands by', ['a', 'a', 'a'], ['a', 'b'], { release: [2], claim: [] }],
    ['keeps what it has where another is only starting', ['a', 'a', 'a'], ['a'], { release: [], claim: [] }],
    ['leaves what somebody was told to consume', ['x', null, 'x'], ['a'], { release: [], claim: [1] }],
    ['stands by where all are owned', ['x', 'x', 'x'], [], { release: [], claim: [] }],
    ['takes over from whoever has gone', ['a', null, null], ['a'], { release: [], claim: [1, 2] }],
    ['moves nothing in vain', ['a', 'b', 'c'], ['old', 'b', 'c', 'a'], { release: [], claim: [] }],
    ['is nothing for the fourth of three', ['b', 'c', 'd'], ['b', 'c', 'd', 'a'], { release: [], claim: [] }],
  ])('%s', (_, owned, sharers, expected) => {
    expect(balance(all(3), { owners: owners(...owned), sharers }, 'a')).toEqual(expected);
  });

  it('comes to rest with shares that differ by one at most, whoever comes and goes', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const scenario = fc.record({
      partitions: fc.integer({ min: 1, max: 9 }),
      fixed: fc.integer({ min: 0, max: 3 }),
      present: fc.array(fc.subarray(names, { minLength: 1 }), { minLength: 1, maxLength: 4 }),
    });
    fc.assert(
      fc.property(scenario, ({ partitions, fixed, present }) => {
        const owner: (string | null)[] = all(partitions).map((p) => (p < fixed ? 'told' : null));
        for (const sharers of present) {
          for (const [p, name] of owner.entries())
            if (name !== 'told' && name !== null && !sharers.includes(name)) owner[p] = null;
          let moves = 1;
          for (let round = 0; round < 20 && moves > 0; round++) {
            moves = 0;
            for (const me of sharers) {
              const { release, claim } = balance(all(partitions), { owners: owners(...owner), sharers }, me);
              for (const p of release) owner[p] = null;
              for (const p of claim) owner[p] = me;
              moves += release.length + claim.length;
            }
          }
          expect(moves).toBe(0);
          expect(owner).not.toContain(null);
          const shares = sharers.map((name) => owner.filter((o) => o === name).length);
          expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});
