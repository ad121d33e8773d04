/** What happened lately: asked once for all, and only for what is new. */
import type { Pool } from 'pg';
import { describe, expect, it } from 'vitest';
import { sharedAnswer } from '../../../src/lib/base/flow/shared-answer.ts';
import { RecentActivity } from '../../../src/lib/pipeline/serve/activity.ts';

interface Recorded {
  at: number;
  done: number;
}

/** A database that answers with what was recorded in a time. */
function world() {
  const recorded: Recorded[] = [];
  const asked: number[] = [];
  const pool = {
    query: (_text: string, [, since, until, seconds]: [string, Date, Date, number]) => {
      asked.push(since.getTime() / 1000);
      const spans = new Map<number, number>();
      for (const { at, done } of recorded) {
        if (at < since.getTime() / 1000 || at >= until.getTime() / 1000) continue;
        const span = Math.floor(at / seconds) * seconds;
        spans.set(span, (spans.get(span) ?? 0) + done);
      }
      const rows = [...spans].map(([at, done]) => ({ at, done, failed: 0, late: 0 }));
      return Promise.resolve({ rows });
    },
  } as unknown as Pool;
  const recent = (seconds: number, spans: number) =>
    new RecentActivity(pool, { pipeline: 'p', seconds, spans });
  return { recorded, asked, recent };
}

describe('recent activity', () => {
  it('asks only for what may be new, and finds rows that come late', async () => {
    const { recorded, asked, recent } = world();
    const activity = recent(5, 4);
    const read = (at: number) => activity.read(at * 1000);
    recorded.push({ at: 1002, done: 3 });
    expect((await read(1003)).points.map(({ at, done }) => [at, done])).toEqual([
      [985, 0],
      [990, 0],
      [995, 0],
      [1000, 3],
    ]);
    recorded.push({ at: 1001, done: 2 }, { at: 1006, done: 7 });
    expect((await read(1007)).points.map(({ done }) => done)).toEqual([0, 0, 5, 7]);
    expect(asked).toEqual([985, 990]);
    await read(1100);
    // After a pause no more than what is shown.
    expect(asked.at(-1)).toBe(1085);
  });

  it('asks for a day hour by hour, so that no query takes too long', async () => {
    const { recorded, asked, recent } = world();
    const now = 1_000_000_200;
    for (let hour = 0; hour < 24; hour++) recorded.push({ at: now - hour * 3600, done: 1 });
    const { points } = await recent(300, 288).read(now * 1000);
    expect(asked).toHaveLength(24);
    expect(points.filter(({ done }) => done === 1)).toHaveLength(24);
    expect(points.every(({ done }) => done <= 1)).toBe(true);
  });

  it('has what the topic told beside it, a line a partition where they are few', async () => {
    const activity = world().recent(5, 4);
    activity.lag.add({ at: 990, end: 10, lags: [4, 1] });
    activity.lag.add({ at: 995, end: 15, lags: [2, null] });
    activity.lag.add({ at: 1000, end: 15, lags: [0, 0] });
    const { points, partitions } = await activity.read(1000_000);
    expect(points.map(({ came, waiting }) => [came, waiting])).toEqual([
      [null, null],
      [5, 5],
      [0, null],
      [null, 0],
    ]);
    expect(partitions).toEqual([
      { partition: 0, waiting: [null, 4, 2, 0] },
      { partition: 1, waiting: [null, 1, null, 0] },
    ]);
    activity.lag.add({ at: 1001, end: 15, lags: Array<number>(7).fill(1) });
    expect((await activity.read(1001_000)).partitions).toEqual([]);
  });
});

describe('an answer for all', () => {
  it('is asked for once at a time, again after its time, and at once after a failure', async () => {
    let asked = 0;
    const ask = sharedAnswer(() => Promise.resolve(++asked), 60_000);
    expect(await Promise.all([ask(), ask()])).toEqual([1, 1]);
    expect(await ask()).toBe(1);
    const always = sharedAnswer(() => Promise.resolve(++asked), 0);
    await always();
    expect(await always()).toBe(3);
    let fails = true;
    const failing = sharedAnswer(
      () => (fails ? Promise.reject(new Error('away')) : Promise.resolve('back')),
      60_000,
    );
    await expect(failing()).rejects.toThrow('away');
    fails = false;
    expect(await failing()).toBe('back');
  });
});
