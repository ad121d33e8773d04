/** What an image's timeline is drawn from. */
import { describe, expect, it } from 'vitest';
import { countsFromCapture, shareOf, timelineOf } from '../../../web/images/stage-times.ts';

describe('a timeline', () => {
  it('has the stages in the order of work, and what the latency has beyond them as waiting', () => {
    const stages = { infer: 5, decode: 2, fetch: 1, preprocess: 2 };
    expect(timelineOf(stages, 110)).toEqual({
      total: 110,
      waiting: 100,
      work: 10,
      stages: [
        { name: 'fetch', ms: 1 },
        { name: 'decode', ms: 2 },
        { name: 'preprocess', ms: 2 },
        { name: 'infer', ms: 5 },
      ],
    });
  });

  it('keeps stages that it does not know, behind the others', () => {
    const { stages, work } = timelineOf({ unheard: 4, infer: 5 }, 20);
    expect(stages.map(({ name }) => name)).toEqual(['infer', 'unheard']);
    expect(work).toBe(9);
  });

  it('is no longer than its work where clocks disagree, and nothing takes less than no time', () => {
    expect(timelineOf({ fetch: -3, infer: 5 }, 2)).toMatchObject({ total: 5, waiting: 0, work: 5 });
  });

  it('without a latency knows no waiting', () => {
    expect(timelineOf({ infer: 5 }, null)).toMatchObject({ total: 5, waiting: null });
    expect(timelineOf({}, null)).toMatchObject({ total: 0, stages: [] });
  });

  it('has shares of the whole, and none of nothing', () => {
    expect(shareOf(5, 20)).toBe(25);
    expect(shareOf(0, 0)).toBe(0);
  });
});

describe('a latency', () => {
  const row = '2026-11-29T10:00:01.000Z';
  it('counts from the capture only where that time was believed', () => {
    expect(countsFromCapture('2026-11-29T10:00:00.000Z', row, 1000)).toBe(true);
    expect(countsFromCapture('2026-11-29T10:00:00.000Z', row, 990)).toBe(true);
    expect(countsFromCapture('2026-01-01T00:00:00.000Z', row, 1000)).toBe(false);
    expect(countsFromCapture(null, row, 1000)).toBe(false);
    expect(countsFromCapture('2026-11-29T10:00:00.000Z', row, null)).toBe(false);
  });
});
