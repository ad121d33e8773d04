import { describe, expect, it } from 'vitest';
import { summarize } from '../faults/report.ts';
import { printed, schedule } from '../faults/schedule.ts';

const kinds = [
  { kind: 'a', hold: [1000, 2000] as const },
  { kind: 'b' },
  { kind: 'c', alone: true, most: 2 },
];
const options = { entries: 30, gapMs: [500, 900] as const, together: 0.5 };

describe('the schedule of the faults', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(schedule(7, kinds, options)).toEqual(schedule(7, kinds, options));
    expect(printed(schedule(7, kinds, options))).not.toBe(printed(schedule(8, kinds, options)));
  });

  it('brings every kind once before any comes again', () => {
    const entries = schedule(3, kinds, options);
    expect(new Set(entries.slice(0, 3).map((e) => e.kind))).toEqual(new Set(['a', 'b', 'c']));
  });

  it('keeps to the bounds of each kind', () => {
    const entries = schedule(11, kinds, options);
    expect(entries).toHaveLength(30);
    expect(entries.filter((e) => e.kind === 'c')).toHaveLength(2);
    for (const [at, entry] of entries.entries()) {
      expect(entry.gapMs).toBeGreaterThanOrEqual(500);
      expect(entry.gapMs).toBeLessThanOrEqual(900);
      if (entry.kind === 'a') expect(entry.holdMs).toBeGreaterThanOrEqual(1000);
      else expect(entry.holdMs).toBe(0);
      if (entry.together) expect([entry.kind, entries[at - 1]!.kind]).not.toContain('c');
    }
  });

  it('ends where every kind has come as often as it may', () => {
    expect(schedule(1, [{ kind: 'only', most: 3 }], options)).toHaveLength(3);
  });
});

it('sums recoveries up by kind', () => {
  const one = (kind: string, seconds: number | null) => ({ kind, seconds, detail: '', together: false });
  expect(summarize([one('b', 1), one('a', 3), one('a', 1), one('a', null), one('a', 2)])).toEqual([
    { kind: 'a', times: 4, timed: 3, min: 1, median: 2, max: 3, stuck: 1 },
    { kind: 'b', times: 1, timed: 1, min: 1, median: 1, max: 1, stuck: 0 },
  ]);
});
