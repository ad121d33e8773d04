import { describe, expect, it } from 'vitest';
import { orderedGroups } from '../../../src/lib/base/flow/ordered-groups.ts';

/** Numbers for ever; counts how far it was pulled. */
function numbers() {
  const state = { pulled: 0 };
  async function* source(signal: AbortSignal) {
    for (let n = 0; !signal.aborted; n++) {
      state.pulled++;
      yield n;
      await Promise.resolve();
    }
  }
  return { state, source };
}

function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
};

describe('orderedGroups', () => {
  it('keeps the order whatever finishes first, and hands on what is finished', async () => {
    const { source, state } = numbers();
    const work = Array.from({ length: 100 }, () => deferred<number>());
    const stop = new AbortController();
    const groups = orderedGroups(source, (n) => work[n]!.promise, { inFlight: 4, signal: stop.signal });
    const first = groups.next();
    await until(() => state.pulled === 4);
    work[2]!.resolve(2);
    work[1]!.resolve(1);
    await Promise.resolve();
    work[0]!.resolve(0);
    const got: number[] = [...((await first).value as number[])];
    while (got.length < 3) got.push(...((await groups.next()).value as number[]));
    expect(got).toEqual([0, 1, 2]);
    work[3]!.resolve(3);
    expect((await groups.next()).value).toEqual([3]);
    stop.abort();
    for (const w of work) w.resolve(0);
    await groups.return();
  });

  it('never holds more than inFlight, finished ones included', async () => {
    const { source, state } = numbers();
    const stop = new AbortController();
    let most = 0;
    let held = 0;
    const groups = orderedGroups(source, (n) => ((most = Math.max(most, ++held)), Promise.resolve(n)), {
      inFlight: 5,
      signal: stop.signal,
    });
    for (let taken = 0; taken < 200;) {
      const group = (await groups.next()).value as number[];
      held -= group.length;
      taken += group.length;
      // A slow taker: nothing is pulled beyond the bound meanwhile.
      for (let i = 0; i < 20; i++) await Promise.resolve();
      expect(state.pulled).toBeLessThanOrEqual(taken + 5);
    }
    expect(most).toBeLessThanOrEqual(5);
    stop.abort();
    await groups.return();
  });

  it('ends at a failure behind everything that came before it', async () => {
    const stop = new AbortController();
    const groups = orderedGroups(
      numbers().source,
      (n) => (n === 3 ? Promise.reject(new Error('three')) : Promise.resolve(n)),
      { inFlight: 2, signal: stop.signal },
    );
    const got: number[] = [];
    await expect(async () => {
      for await (const group of groups) got.push(...group);
    }).rejects.toThrow('three');
    expect(got).toEqual([0, 1, 2]);
  });

  it('finishes what was pulled when stopped, and is silent about what the stop cut short', async () => {
    const stop = new AbortController();
    const pulled: number[] = [];
    const groups = orderedGroups(
      numbers().source,
      async (n, signal) => {
        pulled.push(n);
        if (n === 6)
          await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('cut'))));
        return n;
      },
      { inFlight: 4, signal: stop.signal },
    );
    const got: number[] = [];
    for await (const group of groups) {
      got.push(...group);
      if (got.length >= 4) stop.abort();
    }
    expect(got).toEqual([...Array(got.length).keys()]);
    expect(got.length).toBeLessThanOrEqual(6);
    expect(pulled.length).toBeGreaterThanOrEqual(got.length);
  });

  it('stops the source when the taker leaves', async () => {
    let ended = false;
    async function* source(signal: AbortSignal) {
      try {
        for (let n = 0; ; n++) {
          if (n > 2) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          if (signal.aborted) return;
          yield n;
        }
      } finally {
        ended = true;
      }
    }
    const groups = orderedGroups(source, (n: number) => Promise.resolve(n), {
      inFlight: 9,
      signal: new AbortController().signal,
    });
    for await (const _ of groups) break;
    expect(ended).toBe(true);
  });

  it('passes the source’s error on behind what it brought', async () => {
    async function* source() {
      yield 1;
      await Promise.resolve();
      throw new Error('source');
    }
    const groups = orderedGroups(source, (n: number) => Promise.resolve(n), {
      inFlight: 2,
      signal: new AbortController().signal,
    });
    const got: number[] = [];
    await expect(async () => {
      for await (const group of groups) got.push(...group);
    }).rejects.toThrow('source');
    expect(got).toEqual([1]);
  });
});
