/** What the belt view of the live page makes of the stream of results. */
import { describe, expect, it } from 'vitest';
import { type Counted, rateOf, Tallies } from '../../../web/belt/tally.ts';
import { EventParser } from '../../../web/shared/events.ts';
import { markOf } from '../../../web/shared/marks.ts';

const result = (more: Partial<Counted> = {}): Counted => ({
  category: 'red',
  bin: null,
  binReason: null,
  belt: null,
  ...more,
});

describe('events', () => {
  const text =
    'retry: 1000\n\nid: 7.0\n\n:\n\nid: 7.1\nevent: result\ndata: {"a":1}\n\nid: 7.2\ndata: x\ndata: y\n\n';
  const whole = [
    { id: '7.0', data: '' },
    { id: '7.1', data: '{"a":1}' },
    { id: '7.2', data: 'x\ny' },
  ];

  it('are the same wherever the text is cut', () => {
    for (let size = 1; size <= text.length; size++) {
      const parser = new EventParser();
      const found = [];
      for (let at = 0; at < text.length; at += size) found.push(...parser.push(text.slice(at, at + size)));
      expect(found).toEqual(whole);
    }
  });

  it('that are cut off at the end do not count, and one without an end is refused', () => {
    expect(new EventParser().push('id: 7.1\ndata: {"a":1}\n')).toEqual([]);
    expect(() => new EventParser().push('x'.repeat(2_000_000))).toThrow('without an end');
  });
});

describe('counts', () => {
  it('are by bin with reasons, by category without, and by belt', () => {
    const tallies = new Tallies();
    tallies.add(result({ bin: 'left', binReason: 'mapped', belt: 'north' }), 0);
    tallies.add(result({ bin: 'left', binReason: 'low_margin', belt: 'south', novelty: 2 }), 0);
    tallies.add(result({ category: 'left' }), 0);
    const counts = (belt: string | null) => [...tallies.of(belt)].map(([key, { count }]) => [key, count]);
    expect(counts(null)).toEqual([
      ['bin left', 2],
      ['category left', 1],
    ]);
    expect([counts('north'), counts('elsewhere'), tallies.belts]).toEqual([
      [['bin left', 1]],
      [],
      ['north', 'south'],
    ]);
    expect(Object.fromEntries(tallies.of(null).get('bin left')!.reasons)).toEqual({
      mapped: 1,
      low_margin: 1,
    });
  });

  it('stay exact in sum and bounded in number, whatever comes', () => {
    const tallies = new Tallies();
    for (let n = 0; n < 5000; n++) tallies.add(result({ category: `${n}`, belt: `${n}` }), n);
    const all = [...tallies.of(null).values()];
    expect([all.length, all.reduce((sum, { count }) => sum + count, 0), tallies.belts.length]).toEqual([
      1001, 5000, 100,
    ]);
  });

  it('have a rate of the seconds that are over, which ends with the results', () => {
    const tallies = new Tallies();
    for (let ms = 0; ms < 20_000; ms += 100) tallies.add(result(), ms);
    const tally = tallies.of(null).get('category red')!;
    expect(rateOf(tally, 19_999)).toBe(10);
    expect(rateOf(tally, 24_500)).toBeCloseTo(50 / 9);
    expect(rateOf(tally, 60_000)).toBe(0);
  });

  it('mark what is unknown before what is unsure', () => {
    expect(markOf(result({ novelty: 1, binReason: 'low_confidence' }))).toBe('unknown');
    expect(markOf(result({ novelty: 0.9, binReason: 'low_margin' }))).toBe('unsure');
    expect(markOf(result({ novelty: null, binReason: 'unmapped' }))).toBe(null);
  });
});
