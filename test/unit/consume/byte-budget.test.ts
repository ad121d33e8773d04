import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteBudget } from '../../../src/lib/base/flow/load.ts';

const never = new AbortController().signal;
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('ByteBudget', () => {
  it('never goes beyond its bytes, but for one alone that is larger, and lets everybody through', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 150 }), { maxLength: 30 }), async (sizes) => {
        const budget = new ByteBudget(100);
        let holders = 0;
        await Promise.all(
          sizes.map(async (bytes) => {
            await budget.take(bytes, never);
            holders++;
            expect(budget.used <= 100 || holders === 1).toBe(true);
            await turn();
            holders--;
            budget.give(bytes);
          }),
        );
        expect(budget.used).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  it('lets the next through when one that waits is told to stop', async () => {
    const budget = new ByteBudget(100);
    await budget.take(80, never);
    const stop = new AbortController();
    const large = budget.take(90, stop.signal);
    const small = budget.take(20, never);
    stop.abort(new Error('stop'));
    await expect(large).rejects.toThrow('stop');
    await small;
    expect(budget.used).toBe(100);
  });
});
