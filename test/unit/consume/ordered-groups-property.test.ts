/** In whatever order the work is finished: only a contiguous prefix is handed on, so that is all that can be committed. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { orderedGroups } from '../../../src/lib/base/flow/ordered-groups.ts';
import { numRuns } from '../../support/thorough.ts';

/** fast-check's scheduler decides which piece of work settles next; some of it may fail, and the stop may come at any time. */
const run = fc.record({
  items: fc.integer({ min: 0, max: 40 }),
  inFlight: fc.integer({ min: 1, max: 12 }),
  failing: fc.option(fc.nat(39)),
  stopAfter: fc.option(fc.nat(39)),
});

it('hands on 0, 1, 2, … without a gap, and never what is not finished', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), run, async (scheduler, { items, inFlight, failing, stopAfter }) => {
      const stop = new AbortController();
      const finished = new Set<number>();
      const began = new Set<number>();
      async function* source(signal: AbortSignal) {
        for (let n = 0; n < items && !signal.aborted; n++) {
          await Promise.resolve();
          yield n;
        }
      }
      const work = async (n: number) => {
        began.add(n);
        await scheduler.schedule(Promise.resolve(), `item ${n}`);
        if (n === failing) throw new Error(`item ${n}`);
        finished.add(n);
        if (finished.size - 1 === stopAfter) stop.abort();
        return n;
      };
      const taken: number[] = [];
      let commits = 0;
      const taking = (async () => {
        for await (const group of orderedGroups(source, work, { inFlight, signal: stop.signal })) {
          expect(group.length).toBeGreaterThan(0);
          for (const n of group) {
            // What is committed is behind everything that is finished, and nothing else.
            expect(n).toBe(commits++);
            expect(finished.has(n)).toBe(true);
            taken.push(n);
          }
          // Held: what has begun and was not taken.
          expect(began.size - taken.length).toBeLessThanOrEqual(inFlight);
        }
      })();
      const ended = taking.then(
        () => 'ended',
        (error: unknown) => (error as Error).message,
      );
      const outcome = await scheduler.waitFor(ended);
      const fails = failing !== null && began.has(failing);
      if (outcome !== 'ended') {
        expect(outcome).toBe(`item ${failing}`);
        expect(taken).toHaveLength(failing!);
      } else if (!stop.signal.aborted) {
        expect(fails).toBe(false);
        expect(taken).toHaveLength(items);
      }
      if (fails) expect(taken.length).toBeLessThanOrEqual(failing);
    }),
    { numRuns: numRuns(300) },
  );
});
