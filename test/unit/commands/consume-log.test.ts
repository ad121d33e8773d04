/** What `consume` logs: a line a message only at debug, however many fail. */
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { consumeLog } from '../../../src/commands/consume/log.ts';
import type { Context } from '../../../src/commands/shared/run.ts';
import type { ConsumeEvent } from '../../../src/lib/pipeline/consume/options.ts';

interface Line {
  level: number;
  msg: string;
  byCode?: Record<string, number>;
}

function setUp(level: 'info' | 'debug') {
  const lines: Line[] = [];
  const log = pino({ level, base: null }, { write: (text: string) => lines.push(JSON.parse(text) as Line) });
  return { hear: consumeLog({ log, stoppedBy: () => null } as unknown as Context), lines };
}

function letter(offset: number, code = 'not_found'): ConsumeEvent {
  return { kind: 'dead letter', partition: 0, offset, imageKey: `${offset}`, code, message: `no ${offset}` };
}

describe('the log of consume', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('tells the first dead letter and counts the others', () => {
    const { hear, lines } = setUp('info');
    for (let n = 0; n < 1000; n++) hear(letter(n, n % 2 ? 'not_found' : 'not_an_image'));
    expect(lines.map(({ msg }) => msg)).toEqual(['dead letter: no 0']);
    vi.advanceTimersByTime(5000);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatchObject({
      level: 40,
      msg: '999 more dead letters',
      byCode: { not_found: 500, not_an_image: 499 },
    });
    // One that comes after a quiet time is told at once again, and nothing is left out at the end.
    vi.advanceTimersByTime(10_000);
    hear(letter(1));
    hear(letter(2));
    hear({ kind: 'released', partition: 0 });
    expect(lines.slice(2).map(({ msg }) => msg)).toEqual([
      'dead letter: no 1',
      '1 more dead letters',
      'partition released',
    ]);
  });

  it('tells each of them, and each prediction, at debug', () => {
    const { hear, lines } = setUp('debug');
    for (let n = 0; n < 3; n++) hear(letter(n));
    const row = { requestId: 'r', belt: null, bin: null, binReason: null, latencyMs: 5 };
    const counts = {
      predicted: 2,
      deadLettered: 0,
      ignored: 0,
      lag: 0,
      oldest: null,
      outcomes: [],
      began: 0,
      ended: 1,
    };
    hear({ kind: 'recorded', partition: 0, ...counts, predictions: [row, row] });
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
      [40, 'dead letter: no 0'],
      [20, 'dead letter: no 1'],
      [20, 'dead letter: no 2'],
      [20, 'predicted'],
      [20, 'predicted'],
      [20, 'recorded'],
    ]);
  });

  it('says what a partition waits for, but not for every image of it', () => {
    const { hear, lines } = setUp('info');
    for (let n = 0; n < 100; n++) {
      hear({ kind: 'waiting', partition: 0, reason: `access denied to ${n}` });
      hear({ kind: 'going on', partition: 0 });
    }
    expect(lines.map(({ msg }) => msg)).toEqual(['waiting: access denied to 0', 'resumed']);
    vi.advanceTimersByTime(5000);
    hear({ kind: 'waiting', partition: 0, reason: 'access denied to 100' });
    expect(lines.at(-1)).toMatchObject({ level: 40, msg: 'waiting: access denied to 100' });
  });

  it('only hears that the consumer gives up: to end the process is not for a log', () => {
    const { hear, lines } = setUp('debug');
    hear({ kind: 'giving up', partition: 0, reason: 'it hangs' });
    expect(vi.getTimerCount()).toBe(0);
    expect(lines).toEqual([]);
  });
});
