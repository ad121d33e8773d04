/** What waits in the topic, looked at all the time: cheaply, bounded, and whatever the servers do. */
import type { Pool } from 'pg';
import { describe, expect, it, vi } from 'vitest';
import { lagSampler, LagWindow, watchLag } from '../../../src/lib/pipeline/serve/lag.ts';

/** A topic with these ends, of which positions are recorded. */
function world(ends: (number | null)[], positions: Record<number, number> = {}) {
  const asked = { ends: 0, query: 0, starts: 0 };
  const state = { ends, positions, first: 0 };
  const pool = {
    query: () => {
      asked.query++;
      const rows = Object.entries(state.positions).map(([n, next]) => ({ partition: Number(n), next }));
      return Promise.resolve({ rows });
    },
  } as unknown as Pool;
  const topic = {
    name: 't',
    ends: () => {
      asked.ends++;
      return Promise.resolve(state.ends);
    },
    committed: () => {
      asked.starts++;
      return Promise.resolve(null);
    },
    bounds: () => Promise.resolve({ first: state.first, end: 0 }),
  };
  return { asked, state, deps: { pool, topic, pipeline: 'p', isAway: () => false } };
}

const window = () => new LagWindow({ seconds: 5, spans: 4 });
const times = { everyMs: 1, mostMs: 20, share: 0.5 };

describe('a look', () => {
  it('asks one question and one query, whatever the number of partitions', async () => {
    const many = 1000;
    const { asked, deps } = world(
      Array<number>(many).fill(10),
      Object.fromEntries(Array.from({ length: many }, (_, n) => [n, 7])),
    );
    const { lags, end } = await lagSampler(deps)(1000);
    expect(lags).toEqual(Array<number>(many).fill(3));
    expect(end).toBe(10 * many);
    expect(asked).toEqual({ ends: 1, query: 1, starts: 0 });
  });

  it('counts from where a consumer would start, asked for seldom and of a few at once', async () => {
    const { asked, state, deps } = world(Array<number>(50).fill(10));
    state.first = 4;
    const look = lagSampler(deps);
    expect((await look(1000)).lags.filter((lag) => lag === 6)).toHaveLength(20);
    await look(1005);
    expect((await look(1010)).lags).toEqual(Array<number>(50).fill(6));
    expect(asked.starts).toBe(50);
    state.first = 8;
    expect((await look(1015)).lags[0]).toBe(6);
    expect((await look(1070)).lags[0]).toBe(2);
    state.positions = { 0: 9 };
    expect((await look(1071)).lags[0]).toBe(1);
  });

  it('does not know the sum where a leader is away, nor of a topic that is not there', async () => {
    expect(await lagSampler(world([5, null], { 0: 5, 1: 1 }).deps)(1000)).toEqual({
      at: 1000,
      lags: [0, null],
      end: null,
    });
    const none = window();
    none.add(await lagSampler(world([]).deps)(1000));
    expect(none.at(1000)).toEqual({ came: null, waiting: null, lags: [] });
  });

  it('takes a position beyond the end for nothing left: the topic was made anew', async () => {
    expect((await lagSampler(world([3], { 0: 9 }).deps)(1000)).lags).toEqual([0]);
  });
});

describe('a window', () => {
  it('spreads what came over the time between two looks', () => {
    const spans = window();
    const came = () => [985, 990, 995, 1000, 1005, 1010].map((at) => spans.at(at).came);
    spans.add({ at: 1000, end: 0, lags: [0] });
    expect(came()).toEqual([null, null, null, null, null, null]);
    // Half in the span that began then, half in the next, nothing yet in the last.
    spans.add({ at: 1010, end: 60, lags: [8] });
    expect(came()).toEqual([null, null, null, 30, 30, null]);
    // Looked at in the first; the second is told what was seen behind it.
    expect([1000, 1005, 1010].map((at) => spans.at(at).waiting)).toEqual([0, 8, 8]);
    spans.add({ at: 1012, end: 5, lags: [5] }); // made anew
    expect(spans.at(1010)).toEqual({ came: null, waiting: 8, lags: [8] });
  });

  it('does not know what came while nobody could look, or this process did not run', () => {
    const spans = window();
    spans.add({ at: 1000, end: 0, lags: [0] });
    spans.miss();
    spans.add({ at: 1010, end: 60, lags: [8] });
    expect([1000, 1005, 1010].map((at) => spans.at(at).came)).toEqual([null, null, null]);
    expect(spans.at(1005).waiting).toBeNull();
    spans.add({ at: 5000, end: 90, lags: [9] });
    expect(spans.at(5000).came).toBeNull();
    spans.add({ at: 4000, end: 91, lags: [9] }); // the clock was set back
    expect(spans.at(4000)).toEqual({ came: null, waiting: 9, lags: [9] });
  });

  it('tells what came only of spans that were seen from their beginning to their end', () => {
    const spans = window();
    const came = () => [1000, 1005, 1010].map((at) => spans.at(at).came);
    spans.add({ at: 1003, end: 0, lags: [0] });
    spans.add({ at: 1008, end: 50, lags: [0] });
    expect(came()).toEqual([null, null, null]);
    spans.add({ at: 1013, end: 150, lags: [0] });
    expect(came()).toEqual([null, 70, null]);
  });

  it('holds no more spans than it has, and no lines of many partitions', () => {
    const spans = window();
    for (let at = 1000; at < 2000; at += 1) spans.add({ at, end: at, lags: Array<number>(1000).fill(1) });
    const held = Array.from({ length: 200 }, (_, n) => 1000 + 5 * n).filter(
      (at) => spans.at(at).waiting !== null,
    );
    expect(held).toEqual([1980, 1985, 1990, 1995]);
    expect(spans.at(1990)).toEqual({ came: 5, waiting: 1000, lags: [] });
  });

  it('follows a topic that grows', () => {
    const spans = window();
    spans.add({ at: 1000, end: 10, lags: [1] });
    spans.add({ at: 1005, end: 15, lags: [1, 5] });
    expect(spans.at(1000)).toEqual({ came: 5, waiting: 1, lags: [1] });
    expect(spans.at(1005)).toEqual({ came: null, waiting: 6, lags: [1, 5] });
  });
});

describe('looking', () => {
  it('goes on through failures, and never twice at once', async () => {
    const { deps, state } = world([5], { 0: 2 });
    let [running, most, calls] = [0, 0, 0];
    const ends = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 3));
      running--;
      if (++calls <= 3) throw new Error('away');
      return state.ends as number[];
    };
    const stop = new AbortController();
    const spans = new LagWindow({ seconds: 60, spans: 2 });
    const over = watchLag({ ...deps, topic: { ...deps.topic, ends } }, [spans], stop.signal, times);
    const now = () => spans.at(Math.floor(Date.now() / 60_000) * 60);
    await vi.waitFor(() => expect(now().waiting).toBe(3));
    await vi.waitFor(() => expect(calls).toBeGreaterThan(6));
    stop.abort();
    await over;
    expect(most).toBe(1);
  });

  it('asks nobody who is known to be away', async () => {
    const { asked, deps } = world([5]);
    let away = 0;
    const stop = new AbortController();
    const isAway = () => ++away < 5;
    const over = watchLag({ ...deps, isAway }, [window()], stop.signal, times);
    await vi.waitFor(() => expect(asked.ends).toBeGreaterThan(0));
    expect(away).toBeGreaterThanOrEqual(5);
    stop.abort();
    await over;
  });

  it('holds up nobody with a topic that never answers', async () => {
    const { asked, deps } = world([5]);
    const stop = new AbortController();
    const ends = () => {
      asked.ends++;
      return new Promise<never>(() => undefined);
    };
    void watchLag({ ...deps, topic: { ...deps.topic, ends } }, [window()], stop.signal, times);
    await vi.waitFor(() => expect(asked.ends).toBe(1));
    stop.abort();
    expect(asked.query).toBe(1);
  });
});
