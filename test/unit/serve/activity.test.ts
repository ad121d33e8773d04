/** What happened lately: asked once for all, and only for what is new. */
import type { Pool } from 'pg';
import { describe, expect, it } from 'vitest';
import { sharedAnswer } from '../../../src/lib/base/flow/shared-answer.ts';
import { RecentActivity } from '../../../src/lib/pipeline/serve/activity.ts';

interface Recorded {
  at: number;
  done: number;
}

/** A database that answers with what was recorded since then, and a topic of two partitions. */
function world() {
  const recorded: Recorded[] = [];
  const asked: number[] = [];
  const ends = [0, 0];
  const pool = {
    query: (_text: string, [, since, seconds]: [string, Date, number]) => {
      asked.push(since.getTime() / 1000);
      const spans = new Map<number, number>();
      for (const { at, done } of recorded) {
        if (at < since.getTime() / 1000) continue;
        const span = Math.floor(at / seconds) * seconds;
        spans.set(span, (spans.get(span) ?? 0) + done);
      }
      const rows = [...spans].map(([at, done]) => ({ at, done, failed: 0, late: 0 }));
      return Promise.resolve({ rows });
    },
  } as unknown as Pool;
  const topic = {
    partitions: () => Promise.resolve(2),
    bounds: (n: number) => Promise.resolve({ first: 0, end: ends[n]! }),
  };
  const recent = new RecentActivity(pool, topic, { pipeline: 'p', seconds: 5, spans: 4 });
  return { recorded, asked, ends, read: (at: number) => recent.read(at * 1000) };
}

describe('recent activity', () => {
  it('asks only for what may be new, and finds rows that come late', async () => {
    const { recorded, asked, read } = world();
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

  it('tells how many messages came, where somebody looked twice', async () => {
    const { ends, read } = world();
    expect((await read(1000)).points.map(({ came }) => came)).toEqual([null, null, null, null]);
    ends[0] = 30;
    ends[1] = 30;
    // 60 in ten seconds: half in the span that began then, half in the next, nothing yet in the last.
    expect((await read(1010)).points.map(({ came }) => came)).toEqual([null, 30, 30, null]);
    ends[0] = 0; // made anew
    expect((await read(1012)).points.at(-1)!.came).toBeNull();
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
