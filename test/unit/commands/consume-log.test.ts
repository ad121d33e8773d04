/** What `consume` logs: a line a message only at debug, however many fail. */
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { consumeLog } from '../../../src/commands/consume/log.ts';
import type { Context } from '../../../src/commands/shared/run.ts';
import type { ConsumeEvent, RecordedEvent } from '../../../src/lib/pipeline/consume/options.ts';
import type { Away, Servers } from '../../../src/lib/pipeline/server-watch.ts';

interface Line {
  level: number;
  msg: string;
  partition?: number | null;
  byCode?: Record<string, number>;
}

/** The topic is away while this is false. */
let lagKnown = true;
let away: Away[] = [];

function setUp(level: 'info' | 'debug') {
  const lines: Line[] = [];
  const log = pino({ level, base: null }, { write: (text: string) => lines.push(JSON.parse(text) as Line) });
  lagKnown = true;
  away = [];
  const servers: Servers = {
    get away() {
      return away;
    },
    listen: () => undefined,
  };
  const context = { log, interactive: false, stoppedBy: () => null } as unknown as Context;
  const hear = consumeLog(context, { servers, lagKnown: () => lagKnown });
  return { hear, lines, words: () => lines.splice(0).map(({ msg }) => msg) };
}

function letter(offset: number, code = 'not_found'): ConsumeEvent {
  return { kind: 'dead letter', partition: 0, offset, imageKey: `${offset}`, code, message: `no ${offset}` };
}

describe('the log of consume', () => {
  beforeEach(() => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
    });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('warns of a belt that has changed, and says when it is over', () => {
    const { hear, lines } = setUp('info');
    const drift = {
      ...{ belt: 'north', model: { name: 'm', version: '1', digest: 'd' }, kind: 'unknown' as const },
      ...{ since: new Date(new Date().setHours(0, 0, 0, 0)).toISOString(), from: 1, to: 9, category: null },
    };
    hear({ kind: 'drift', partition: null, drift, over: false });
    hear({ kind: 'drift', partition: null, drift: { ...drift, to: 1 }, over: true });
    expect(lines).toMatchObject([
      { level: 40, msg: 'belt north: since 00:00 unknown rose from 1 % to 9 %' },
      { level: 30, msg: 'belt north: unknown is back at 1 %' },
    ]);
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
      '1 more dead letter',
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

  it('says what a partition waits for once and every minute, but not for every image of it', () => {
    const { hear, lines, words } = setUp('info');
    for (let n = 0; n < 100; n++) {
      hear({ kind: 'waiting', partition: 0, reason: `access denied to ${n}` });
      hear({ kind: 'going on', partition: 0 });
    }
    expect(words()).toEqual(['waiting: access denied to 0', 'resumed after 0 s']);
    vi.advanceTimersByTime(60_000);
    hear({ kind: 'waiting', partition: 0, reason: 'access denied to 100' });
    expect(lines[0]).toMatchObject({ level: 40, partition: 0 });
    // Nothing more is reported while it waits.
    vi.advanceTimersByTime(120_000);
    hear({ kind: 'going on', partition: 0 });
    expect(words()).toEqual([
      'waiting: access denied to 100',
      'waiting for 1 min: access denied to 100',
      'waiting for 2 min: access denied to 100',
      'resumed after 2 min',
    ]);
    // What is released waits no more.
    vi.advanceTimersByTime(60_000);
    hear({ kind: 'waiting', partition: 0, reason: 'access denied to 101' });
    hear({ kind: 'released', partition: 0 });
    vi.advanceTimersByTime(600_000);
    expect(words()).toEqual(['waiting: access denied to 101', 'partition released']);
  });

  it('leaves to the server’s own lines that it is away, and that it is back', () => {
    const { hear, words } = setUp('info');
    away = [{ server: 'store', reason: 'refused', since: new Date() }];
    hear({ kind: 'waiting', partition: 0, reason: 'cannot reach 1' });
    vi.advanceTimersByTime(150_000);
    away = [];
    // The attempt that brings it to an end is still to come.
    hear({ kind: 'waiting', partition: 0, reason: 'cannot reach 2' });
    expect(words()).toEqual([]);
    // That did not help.
    vi.advanceTimersByTime(60_000);
    hear({ kind: 'going on', partition: 0 });
    expect(words()).toEqual(['waiting for 3 min: cannot reach 2', 'resumed after 3 min']);
  });

  it('says for how long results have been waiting to be published', () => {
    const { hear, words } = setUp('info');
    hear({ kind: 'not published', partition: 1, what: 'result', reason: 'no brokers' });
    vi.advanceTimersByTime(60_000);
    hear({ kind: 'publishing again', partition: 1, what: 'result' });
    vi.advanceTimersByTime(60_000);
    expect(words()).toEqual([
      'results are waiting to be published, recording continues: no brokers',
      'results are waiting to be published for 1 min, recording continues: no brokers',
      'results are being published again',
    ]);
  });

  it('says every minute how many images there were, how many a second, and what is left of all partitions', () => {
    const { hear, lines, words } = setUp('info');
    hear({ kind: 'owning', partition: 0, epoch: 1, from: 0, lag: 400 });
    hear({ kind: 'owning', partition: 1, epoch: 1, from: 0, lag: 7 });
    words();
    const recorded = (event: Partial<RecordedEvent>): RecordedEvent => ({
      ...{ kind: 'recorded', partition: 0, predicted: 0, deadLettered: 0, ignored: 0, lag: 0, oldest: null },
      ...{ outcomes: [], predictions: [], began: 0, ended: 1, ...event },
    });
    hear(recorded({ predicted: 290, lag: 110 }));
    hear(recorded({ deadLettered: 10, lag: 100 }));
    vi.advanceTimersByTime(60_000);
    expect(lines[0]).toMatchObject({ images: 300, imagesPerSecond: 5, lag: 107 });
    expect(words()).toEqual(['progress: 300 images in 1 min, 5 images/s, lag 107']);
    vi.advanceTimersByTime(60_000);
    expect(words()).toEqual(['progress: 0 images in 1 min, 0 images/s, lag 107']);
    hear(recorded({ predicted: 1 }));
    lagKnown = false;
    vi.advanceTimersByTime(60_000);
    expect(words()).toEqual(['progress: 1 image in 1 min, 0 images/s, lag unknown']);
    // Nothing was done, and nothing is left of what is owned.
    lagKnown = true;
    hear({ kind: 'lost', partition: 1, epoch: 1 });
    words();
    vi.advanceTimersByTime(180_000);
    expect(words()).toEqual([]);
  });

  it('only hears that the consumer gives up: to end the process is not for a log', () => {
    const { hear, lines } = setUp('debug');
    const timers = vi.getTimerCount();
    hear({ kind: 'giving up', partition: 0, reason: 'it hangs' });
    expect(vi.getTimerCount()).toBe(timers);
    expect(lines).toEqual([]);
  });
});
