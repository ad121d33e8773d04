/** What flows: bytes in under limits, waits with one query for all, the stream without a gap, slow listeners dropped. */
import { Readable } from 'node:stream';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type {
  Outcome,
  Place,
  Result,
  StreamedResult,
  StreamPage,
} from '../../../src/lib/database/results.ts';
import { Admission } from '../../../src/lib/serve/admission.ts';
import { Feed } from '../../../src/lib/serve/feed.ts';
import { receiveImage } from '../../../src/lib/serve/receive.ts';
import { eventStream, placeOf } from '../../../src/lib/serve/server-sent-events.ts';
import { Waiters } from '../../../src/lib/serve/waiters.ts';
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
    let pulled = 0;
    const endless = (chunk: Buffer) =>
      Readable.from(
        (function* () {
          for (;;) {
            pulled += chunk.length;
            yield chunk;
          }
        })(),
        { objectMode: false, highWaterMark: 1 },
      );
    const jpeg = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.alloc(65_533)]);
    expect(await rejection(receiveImage(endless(jpeg), limits(1e6).options))).toMatchObject({ status: 413 });
    expect(pulled).toBeLessThan(1e6 + 3 * jpeg.length);
    pulled = 0;
    expect(await rejection(receiveImage(endless(jpeg), limits(1e9, 1e6).options))).toMatchObject({
      status: 429,
    });
    expect(pulled).toBeLessThan(1e6 + 3 * jpeg.length);
    pulled = 0;
    const zip = Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(9000)]);
    expect(await rejection(receiveImage(endless(zip), limits(1e9).options))).toMatchObject({
      code: 'not_an_image',
    });
    expect(pulled).toBeLessThan(4 * zip.length);
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
    expect(() => admission.check()).toThrow(/in hand/);
    expect(() => admission.enter()).toThrow(/in hand/);
    place[Symbol.dispose]();
    place[Symbol.dispose]();
    admission.check();
    expect(admission.images).toBe(0);
  });
});

const result = (id: string) => ({ id }) as Result;
const outcomeOf = (id: string): Outcome => ({ kind: 'result', id, imageKey: id, result: result(id) });

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
  end = (): Promise<Place> => Promise.resolve({ tx: '10', row: this.rows.length });
  after = async ({ row }: Place, limit: number): Promise<StreamPage> => {
    this.queries++;
    const results = this.rows.slice(row, row + limit);
    await setImmediate();
    return { results, upTo: { tx: '10', row: row + results.length } };
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
    expect(placeOf('7.2')).toEqual({ tx: '7', row: 2 });
    for (const wrong of ['', '7', '7.', 'x.1', '-1.2', '7.2.3', `${'9'.repeat(30)}.1`]) {
      expect(placeOf(wrong)).toBeUndefined();
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
