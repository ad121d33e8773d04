import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VisionscaleError } from '../../src/lib/base/errors.ts';
import { backoffCeiling, backoffDelay, patience, retry } from '../../src/lib/base/flow/retry.ts';

const away = () => new VisionscaleError('away', { code: 'away', retryable: true });

describe('retry', () => {
  it('waits between half the ceiling and the ceiling, never above ten seconds', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempt, random) => {
          const delay = backoffDelay(attempt, () => random);
          expect(delay).toBeGreaterThanOrEqual(backoffCeiling(attempt) / 2);
          expect(delay).toBeLessThanOrEqual(backoffCeiling(attempt));
          expect(delay).toBeLessThanOrEqual(2000);
        },
      ),
    );
  });

  it('waits longer after every failure, up to ten seconds, and from a tenth of a second', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (attempt) => {
        const ceiling = backoffCeiling(attempt);
        expect(ceiling).toBeGreaterThanOrEqual(100);
        expect(ceiling).toBeLessThanOrEqual(2000);
        expect(backoffCeiling(attempt + 1)).toBeGreaterThanOrEqual(ceiling);
        expect(backoffCeiling(attempt + 1)).toBeLessThanOrEqual(2 * ceiling);
      }),
    );
    expect([1, 2, 3, 8, 1e9].map(backoffCeiling)).toEqual([100, 200, 400, 2000, 2000]);
  });

  it('goes on until it succeeds', async () => {
    let calls = 0;
    const waits: number[] = [];
    const value = await retry(() => (++calls < 3 ? Promise.reject(away()) : Promise.resolve('done')), {
      signal: new AbortController().signal,
      onWait: (_, __, attempt) => waits.push(attempt),
    });
    expect([value, calls, waits]).toEqual(['done', 3, [1, 2]]);
  });

  it('throws at once what a retry cannot help', async () => {
    const fatal = new VisionscaleError('no', { code: 'no' });
    await expect(retry(() => Promise.reject(fatal), { signal: new AbortController().signal })).rejects.toBe(
      fatal,
    );
  });

  it('gives up its wait when told to stop, with the error it waited for', async () => {
    const stop = new AbortController();
    const error = away();
    const waiting = retry(() => Promise.reject(error), { signal: stop.signal, onWait: () => stop.abort() });
    await expect(waiting).rejects.toBe(error);
  });
});

describe('patience', () => {
  const { signal } = new AbortController();

  it('tells a reason once, with what to do, and that the wait is over', async () => {
    const told: (string | null)[] = [];
    const patiently = patience({ signal }, (reason) => told.push(reason));
    const fails = [
      away(),
      away(),
      new VisionscaleError('slow', { code: 's', retryable: true, hint: 'Look\nthere.' }),
    ];
    const step = () => {
      const error = fails.shift();
      return error === undefined ? Promise.resolve('open') : Promise.reject(error);
    };
    expect(await patiently(step)).toBe('open');
    expect(await patiently(step)).toBe('open');
    expect(told).toEqual(['away', 'slow (Look there.)', null]);
  });

  it('is over with the time that is given, from the first failure', async () => {
    const told: (string | null)[] = [];
    const error = away();
    let calls = 0;
    const patiently = patience({ signal, forMs: 400 }, (reason) => told.push(reason));
    const failing = patiently(() => (calls++, Promise.reject(error)));
    await expect(failing).rejects.toBe(error);
    expect(calls).toBeGreaterThan(1);
    expect(told).toEqual(['away']);
    calls = 0;
    await expect(
      patience({ signal, forMs: 0 }, () => undefined)(() => (calls++, Promise.reject(error))),
    ).rejects.toBe(error);
    expect(calls).toBe(1);
  });
});
