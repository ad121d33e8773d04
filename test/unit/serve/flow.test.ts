/** What flows: bytes in under limits, waits with one query for all, the stream without a gap, slow listeners dropped. */
import { PassThrough, Readable } from 'node:stream';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Admission, type Memory } from '../../../src/lib/pipeline/serve/admission/admission.ts';
import { receiveImage } from '../../../src/lib/pipeline/serve/admission/receive.ts';
import { Places } from '../../../src/lib/pipeline/serve/admission/senders.ts';
import { eventStream, Feed, rowPlace, Waiters } from '../../../src/lib/pipeline/serve/listeners.ts';
import type {
  RequestOutcome,
  Result,
  StreamedResult,
} from '../../../src/lib/systems/database/tables/results.ts';
import type { StreamPage, StreamPlace } from '../../../src/lib/systems/database/tables/stream.ts';
import { plainJpeg, rejection } from '../../support/images.ts';

describe('receiving an image', () => {
  const limits = (maxBytes: number, bytes = 1e9) => {
    const admission = new Admission({ images: 1, bytes });
    return { admission, options: { maxBytes, memory: admission.memory() } };
  };

  it('holds what has arrived, and gives it back', async () => {
    const jpeg = await plainJpeg('red', 200);
    const { admission, options } = limits(1e6);
    const parts = [jpeg.subarray(0, 10), jpeg.subarray(10, 500), jpeg.subarray(500)];
    expect(await receiveImage(Readable.from(parts, { objectMode: false }), options)).toEqual(jpeg);
    expect(admission.bytes).toBe(jpeg.length);
    options.memory[Symbol.dispose]();
    options.memory[Symbol.dispose]();
    expect(admission.bytes).toBe(0);
  });

  it('stops at the limit, at the end of the memory, and at what is no image', async () => {
    /** What it is rejected with, and the bytes that were pulled of a body without end. */
    const endless = async (chunk: Buffer, { options }: ReturnType<typeof limits>) => {
      let pulled = 0;
      const body = Readable.from(
        (function* () {
          for (;;) {
            pulled += chunk.length;
            yield chunk;
          }
        })(),
        { objectMode: false, highWaterMark: 1 },
      );
      const error = await rejection(receiveImage(body, options));
      return { error, pulled };
    };
    const jpeg = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.alloc(65_533)]);
    const large = await endless(jpeg, limits(1e6));
    expect(large.error).toMatchObject({ status: 413 });
    expect(large.pulled).toBeLessThan(1e6 + 3 * jpeg.length);
    const hungry = await endless(jpeg, limits(1e9, 1e6));
    expect(hungry.error).toMatchObject({ status: 429 });
    expect(hungry.pulled).toBeLessThan(1e6 + 3 * jpeg.length);
    const zip = Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(9000)]);
    const foreign = await endless(zip, limits(1e9));
    expect(foreign.error).toMatchObject({ code: 'not_an_image' });
    expect(foreign.pulled).toBeLessThan(4 * zip.length);
  });

  it('tells a body that breaks off', async () => {
    const broken = Readable.from(
      (function* () {
        yield Buffer.from('half');
        throw new Error('aborted');
      })(),
      { objectMode: false },
    );
    expect(await rejection(receiveImage(broken, limits(1e6).options))).toMatchObject({
      status: 400,
      code: 'incomplete',
    });
  });

  it('has no more places than it says', () => {
    const admission = new Admission({ images: 1, bytes: 10 });
    const place = admission.enter();
    expect(() => admission.check()).toThrow(/reached its limit/);
    expect(() => admission.enter()).toThrow(/reached its limit/);
    place[Symbol.dispose]();
    place[Symbol.dispose]();
    admission.check();
    expect(admission.images).toBe(0);
  });

  it('has places left for others when one sender has its share', () => {
    const admission = new Admission({ images: 3, imagesEach: 2, bytes: 10 });
    const greedy = [admission.enter('a'), admission.enter('a')] as const;
    for (const more of [() => admission.check('a'), () => admission.enter('a')]) {
      expect(more).toThrow('this sender has reached its limit');
    }
    admission.check('b');
    admission.enter('b');
    for (const more of [() => admission.check('c'), () => admission.enter('a')]) {
      expect(more).toThrow('the server has reached its limit');
    }
    expect(admission.images).toBe(3);
    greedy[0][Symbol.dispose]();
    greedy[0][Symbol.dispose]();
    expect(admission.images).toBe(2);
    admission.enter('a');
    expect(() => admission.enter('a')).toThrow(/reached its limit/);
  });
});

describe('memory', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const refused = (memory: Memory, bytes: number) => {
    try {
      memory.take(bytes);
    } catch (error) {
      return (error as { status: number }).status;
    }
    return undefined;
  };
  /** Its status once it has lost its place. */
  const fate = (memory: Memory) => {
    const one: { status?: number } = {};
    memory.dropped.catch((error: { status: number }) => (one.status = error.status));
    return one;
  };

  it('is shared out: one sender leaves room for others', () => {
    const admission = new Admission({ images: 9, bytes: 100, bytesEach: 50 });
    const greedy = [admission.memory('a'), admission.memory('a')] as const;
    greedy[0].take(25);
    greedy[1].take(25);
    expect(refused(admission.memory('a'), 1)).toBe(429);
    expect(() => admission.check('a')).toThrow(/reached its limit/);
    admission.check('b');
    const other = admission.memory('b');
    other.take(50);
    expect(admission.bytes).toBe(100);
    greedy[0][Symbol.dispose]();
    expect(refused(other, 1)).toBe(429);
    expect(refused(admission.memory('a'), 25)).toBeUndefined();
  });

  it('is taken from the slowest where it is wanted', async () => {
    const admission = new Admission({ images: 9, bytes: 1_000_000 });
    const [stalled, slow, quick] = [admission.memory('a'), admission.memory('b'), admission.memory('c')];
    const fates = [stalled, slow, quick].map(fate);
    stalled.take(600_000);
    slow.take(100_000);
    quick.take(100_000);
    // At first nobody can be told apart.
    expect(refused(admission.memory('d'), 300_000)).toBe(429);
    for (let n = 0; n < 20; n++) {
      vi.advanceTimersByTime(100);
      slow.take(1000);
      quick.take(8000);
    }
    admission.check('d');
    const wanting = admission.memory('d');
    wanting.take(300_000);
    await Promise.resolve();
    expect(fates).toEqual([{ status: 408 }, {}, {}]);
    expect(admission.bytes).toBe(100_000 + 20_000 + 100_000 + 160_000 + 300_000);
    wanting.take(400_000);
    await Promise.resolve();
    expect(fates).toEqual([{ status: 408 }, { status: 408 }, {}]);
    // Who sends quickly keeps his place.
    expect(refused(wanting, 100_000)).toBe(429);
    for (const one of [stalled, slow, quick, wanting]) one[Symbol.dispose]();
    expect(admission.bytes).toBe(0);
  });

  it('is not taken from others for a sender that has had its share, nor from what has arrived', async () => {
    const admission = new Admission({ images: 9, bytes: 200, bytesEach: 100 });
    const [whole, others, own] = [admission.memory('a'), admission.memory('b'), admission.memory('a')];
    const fates = [whole, others, own].map(fate);
    whole.take(50);
    whole.complete();
    others.take(100);
    own.take(50);
    vi.advanceTimersByTime(5000);
    admission.memory('a').take(50);
    await Promise.resolve();
    expect(fates).toEqual([{}, {}, { status: 408 }]);
  });

  it('is lost by an image that comes too slowly, wanted or not', async () => {
    const admission = new Admission({ images: 9, bytes: 1e9 });
    const [burst, drip, steady, whole] = ['a', 'b', 'c', 'd'].map((sender) => admission.memory(sender));
    const fates = [burst!, drip!, steady!, whole!].map(fate);
    burst!.take(50_000_000);
    whole!.take(10);
    whole!.complete();
    for (let second = 0; second < 60; second++) {
      refused(drip!, 2);
      steady!.take(6000);
      vi.advanceTimersByTime(1000);
      await Promise.resolve();
      if (second < 9) expect(fates).toEqual([{}, {}, {}, {}]);
    }
    expect(fates).toEqual([{ status: 408 }, { status: 408 }, {}, {}]);
    expect(admission.bytes).toBe(60 * 6000 + 10);
    for (const one of [burst!, drip!, steady!, whole!]) one[Symbol.dispose]();
    expect([admission.bytes, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it('that was lost ends the reading at once, though nothing comes any more', async () => {
    const admission = new Admission({ images: 9, bytes: 100_000 });
    const stalled = new PassThrough();
    stalled.write(Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.alloc(60_000)]));
    const reading = rejection(receiveImage(stalled, { maxBytes: 1e6, memory: admission.memory('a') }));
    while (admission.bytes === 0) await setImmediate();
    vi.advanceTimersByTime(3000);
    admission.memory('b').take(90_000);
    expect(await reading).toMatchObject({ status: 408, code: 'too_slow' });
    expect(stalled.destroyed).toBe(false);
  });
});

describe('places', () => {
  it('are bounded, for all and for each', () => {
    const places = new Places({ all: 3, each: 2 });
    const [first] = [places.take('a'), places.take('a')] as const;
    expect([places.full('a'), places.full('b')]).toEqual(['each', undefined]);
    const last = places.take('b');
    expect([places.full('a'), places.full('c')]).toEqual(['all', 'all']);
    first();
    first();
    expect([places.full('a'), places.full('c')]).toEqual([undefined, undefined]);
    last();
    places.take('b');
    expect(places.full('b')).toBeUndefined();
  });
});

const result = (id: string) => ({ id }) as Result;
const outcomeOf = (id: string): RequestOutcome => ({ kind: 'result', id, imageKey: id, result: result(id) });

describe('waiters', () => {
  it('ask once for all, and not at all while nobody waits', async () => {
    const asked: string[][] = [];
    const there = new Set<string>();
    const waiters = new Waiters({
      pollMs: 5,
      find: (ids) => {
        asked.push([...ids]);
        return Promise.resolve(ids.filter((id) => there.has(id)).map(outcomeOf));
      },
    });
    const never = new AbortController();
    const waits = ['a', 'b', 'a'].map((id) => waiters.wait(id, 5000, never.signal));
    const short = await waiters.wait('c', 20, never.signal);
    expect(short).toBeNull();
    expect(asked[0]).toEqual(['a']);
    expect(asked[1]).toEqual(['a', 'b', 'c']);
    there.add('a').add('b');
    expect((await Promise.all(waits)).map((outcome) => outcome?.id)).toEqual(['a', 'b', 'a']);
    await sleep(20);
    const count = asked.length;
    await sleep(30);
    expect(asked).toHaveLength(count);
    expect(waiters.count).toBe(0);
  });

  it('let go of who is gone, of who comes when there are too many, and of all at the end', async () => {
    const waiters = new Waiters({ pollMs: 5, most: 2, find: () => Promise.reject(new Error('away')) });
    const gone = new AbortController();
    const [first, second] = [
      waiters.wait('a', 60_000, gone.signal),
      waiters.wait('b', 60_000, new AbortController().signal),
    ];
    expect(await waiters.wait('c', 60_000, gone.signal)).toBeNull();
    gone.abort();
    expect(await first).toBeNull();
    waiters.close();
    expect(await second).toBeNull();
    expect(await waiters.wait('d', 60_000, new AbortController().signal)).toBeNull();
  });
});

/** A table whose rows become visible only when they are committed in order. */
class Table {
  readonly rows: StreamedResult[] = [];
  queries = 0;
  add(count: number): void {
    for (let n = 0; n < count; n++) {
      const row = this.rows.length + 1;
      this.rows.push({ place: { tx: '10', row }, result: result(`${row}`) });
    }
  }
  end = (): Promise<StreamPlace> => Promise.resolve({ tx: '10', row: this.rows.length });
  after = async ({ row }: StreamPlace, limit: number): Promise<StreamPage<{ result: Result }>> => {
    this.queries++;
    const rows = this.rows.slice(row, row + limit);
    await setImmediate();
    return { rows, upTo: { tx: '10', row: row + rows.length } };
  };
}

describe('the feed', () => {
  it('hands everything on to everybody, once and in order, wherever they begin', async () => {
    const table = new Table();
    table.add(25);
    const feed = new Feed(table, { pollMs: 1, pageSize: 4 });
    const over = new AbortController();
    const starts = [0, 7, 25, null, 3];
    const taken = starts.map((): number[] => []);
    const follows = starts.map((start, n) =>
      feed.follow(
        start === null ? null : { tx: '10', row: start },
        async (results) => {
          await setImmediate();
          taken[n]!.push(...results.map(({ place }) => place.row));
        },
        over.signal,
      ),
    );
    for (let n = 0; n < 40; n++) {
      await sleep(1);
      table.add(n % 7);
    }
    const all = table.rows.length;
    while (taken.some((rows) => rows.at(-1) !== all)) await sleep(1);
    over.abort();
    await Promise.all(follows);
    for (const [n, start] of starts.entries()) {
      const first = (start ?? 25) + 1;
      expect(taken[n]).toEqual(Array.from({ length: all - first + 1 }, (_, i) => first + i));
    }
    await sleep(10);
    const { queries } = table;
    await sleep(20);
    expect(table.queries).toBe(queries);
  });

  it('is not held up by a place that was never handed out', async () => {
    const table = new Table();
    const feed = new Feed(table, { pollMs: 1 });
    const over = new AbortController();
    const taken: number[][] = [[], []];
    const from = [{ tx: '9999999999999999999', row: 1 }, null];
    const follows = from.map((place, n) =>
      feed.follow(
        place,
        (results) => void taken[n]!.push(...results.map(({ place: { row } }) => row)),
        over.signal,
      ),
    );
    await sleep(5);
    table.add(3);
    while (taken[1]!.length < 3) await sleep(1);
    over.abort();
    await Promise.all(follows);
    expect(taken).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
  });
});

describe('a listener', () => {
  const streamed = (row: number, text = ''): StreamedResult => ({
    place: { tx: '7', row },
    result: { ...result('r'), category: text },
  });

  it('gets events with ids that lead back to their place, and heartbeats', async () => {
    const stream = eventStream({ heartbeatMs: 5 });
    await stream.send([streamed(1), streamed(2)]);
    await sleep(15);
    stream.end();
    const text = (await stream.body.toArray()).join('');
    expect(text).toMatch(
      /^retry: 1000\n\nid: 7\.1\nevent: result\ndata: \{"id":"r","category":""\}\n\nid: 7\.2\n/,
    );
    expect(text).toMatch(/\n\n:\n\n/);
    expect(rowPlace('7.2')).toEqual({ tx: '7', row: 2 });
    for (const wrong of ['', '7', '7.', 'x.1', '-1.2', '7.2.3', `${'9'.repeat(30)}.1`]) {
      expect(rowPlace(wrong)).toBeUndefined();
    }
  });

  it('that reads too slowly is dropped', async () => {
    const stream = eventStream({ mostUnread: 10_000 });
    await stream.send([streamed(1, 'x'.repeat(9000))]);
    expect(stream.gone.aborted).toBe(false);
    await stream.send([streamed(2, 'x'.repeat(9000))]);
    expect(stream.body.destroyed).toBe(true);
    await setImmediate();
    expect(stream.gone.aborted).toBe(true);
  });
});
