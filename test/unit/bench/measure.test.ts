/** The harness of `bench`: percentiles, and that it measures what it says. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { median, percentile } from '../../../src/lib/base/statistics.ts';
import { measure } from '../../../src/lib/local/bench/measure.ts';
import { withEventLoopDelay } from '../../../src/lib/local/bench/stages/end-to-end.ts';

const never = new AbortController().signal;

describe('percentile', () => {
  it('is the nearest rank, whatever the order', () => {
    const samples = [15, 50, 20, 40, 35];
    expect([5, 30, 40, 50, 99, 100].map((p) => percentile(samples, p))).toEqual([15, 20, 20, 35, 50, 50]);
    expect(samples).toEqual([15, 50, 20, 40, 35]);
    expect(median([3, 1, 2])).toBe(2);
  });

  it('of one sample is that sample, of none not a number', () => {
    expect(percentile([7], 99)).toBe(7);
    expect(percentile([], 50)).toBeNaN();
  });

  it('compares numbers, not their texts', () => {
    expect(percentile([9, 10, 100], 100)).toBe(100);
  });
});

describe('measure', () => {
  it('counts calls behind the warm-up and times each', async () => {
    const turns: number[] = [];
    const measured = await measure(
      async (turn) => {
        turns.push(turn);
        await sleep(5);
      },
      { seconds: 0.1, signal: never, warmUp: 2 },
    );
    expect(turns).toEqual([...turns.keys()]);
    expect(measured.count).toBe(turns.length - 2);
    // A timer may fire a little early by another clock, and late at will.
    expect(measured.medianMs).toBeGreaterThan(4);
    expect(measured.p99Ms).toBeGreaterThanOrEqual(measured.medianMs);
    expect(measured.rate * measured.seconds).toBeCloseTo(measured.count);
    expect(measured.ratePerCore * measured.cores).toBeCloseTo(measured.rate);
  });

  it('keeps as many calls running as it is told', async () => {
    let [running, most] = [0, 0];
    await measure(
      async () => {
        most = Math.max(most, ++running);
        await sleep(2);
        running--;
      },
      { seconds: 0.03, signal: never, concurrency: 3 },
    );
    expect(most).toBe(3);
  });

  it('measures at least one call, and stops when it is aborted', async () => {
    expect((await measure(() => undefined, { seconds: 0, signal: never })).count).toBe(1);
    const aborted = measure(() => undefined, { seconds: 10, signal: AbortSignal.abort() });
    await expect(aborted).rejects.toThrow(/aborted/i);
  });
});

describe('withEventLoopDelay', () => {
  it('sees that the loop was blocked', async () => {
    const { result, delay } = await withEventLoopDelay(async () => {
      await sleep(20);
      const until = performance.now() + 60;
      while (performance.now() < until);
      await sleep(20);
      return 'done';
    });
    expect(result).toBe('done');
    expect(delay.maxMs).toBeGreaterThan(30);
    expect(delay.p50Ms).toBeLessThanOrEqual(delay.p99Ms);
    expect(delay.p99Ms).toBeLessThanOrEqual(delay.maxMs);
  });
});
