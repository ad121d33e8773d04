/** Messages of every kind through `consume`, on a real topic and database: what becomes of them, and of their retries. */
import { describe, expect, it } from 'vitest';
import { audit } from '../../src/lib/audit.ts';
import type { ConsumeOptions } from '../../src/lib/consume/deps.ts';
import { readLetter } from '../../src/lib/database/dead-letters.ts';
import { retryDeadLetters } from '../../src/lib/dead-letters.ts';
import { header } from '../../src/lib/message/headers.ts';
import type { MessageRules } from '../../src/lib/message/rules.ts';
import type { Buckets } from '../../src/lib/objects/buckets.ts';
import type { GetOptions, ObjectStore } from '../../src/lib/objects/store.ts';
import { status } from '../../src/lib/status.ts';
import type { OutgoingRecord } from '../../src/lib/topic/topic.ts';
import { fault, setUp } from '../support/fake-consumer.ts';

const messages: MessageRules = { store: { bucket: 'own', prefix: '' }, buckets: ['side'], eventKeys: 'auto' };
const jpeg = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.from(' picture')]);
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const forever = new AbortController().signal;

function put(bucket: string, key: string, eventName = 'ObjectCreated:Put') {
  const object = { key, sequencer: '0055AED6DCD90281E5' };
  return { eventName, eventTime: '2026-11-22T10:00:00.000Z', s3: { bucket: { name: bucket }, object } };
}

const event = (...Records: unknown[]): Partial<OutgoingRecord> => ({
  value: Buffer.from(JSON.stringify({ Records })),
});

/** A topic that holds these messages, and a bucket besides the store's. */
async function belt(records: Partial<OutgoingRecord>[]) {
  const consumer = await setUp([]);
  const { pool, topic } = consumer;
  const producer = await topic.producer();
  await producer.send(
    records.map((record) => ({ key: null, value: Buffer.alloc(0), headers: {}, ...record })),
  );
  await producer[Symbol.asyncDispose]();
  const asked: string[] = [];
  const bucketFaults = new Map<string, Error>();
  const bucket = (name: string): Pick<ObjectStore, 'get'> => ({
    async get(key: string, { admit }: GetOptions) {
      asked.push(`${name}/${key}`);
      const error = bucketFaults.get(key);
      if (error) throw error;
      await admit?.(10);
      return Buffer.from(key);
    },
  });
  const buckets: Buckets = {
    of: (name) => Promise.resolve(bucket(name) as ObjectStore),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const query = async <Row extends object>(text: string) => (await pool.query<Row>(text)).rows;
  return {
    ...consumer,
    asked,
    bucketFaults,
    run: (options: Partial<ConsumeOptions> = {}) => consumer.run({ messages, ...options }, { buckets }),
    rows: () =>
      query<{ key: string; bucket: string | null; id: string; at: Date | null }>(
        `select image_key as key, bucket, belt, traceparent, request_id as id, captured_at as at
         from prediction_results order by request_id`,
      ),
    letters: () =>
      query<{ id: number; code: string; key: string | null }>(
        'select id, code, image_key as key, state, stage, belt, traceparent from dead_letters order by id',
      ),
    audited: () =>
      audit(
        { pool, topic, store: null, report: () => undefined },
        { pipeline: 'p', rules: messages, limit: 10, nameUnlisted: false, signal: forever },
      ),
    retryAll: () =>
      retryDeadLetters(pool, topic, {
        selection: { pipeline: 'p' },
        signal: forever,
        report: () => undefined,
      }),
  };
}

describe('an image in the message', () => {
  it('is classified without the store, under its name, and a second delivery changes nothing', async () => {
    const message = {
      key: Buffer.from('line/1.jpg'),
      value: jpeg,
      headers: { [header.belt]: 'north', [header.traceparent]: traceparent, [header.requestId]: 'h:1' },
    };
    const { state, run, rows, audited } = await belt([message, message]);
    state.storeFault = () => new Error('the store was asked');
    const seen: string[] = [];
    state.classify = (bytes) => Promise.resolve(void seen.push(bytes));
    expect(await run()).toMatchObject({ predicted: 1, deadLettered: 0, ignored: 0 });
    expect(await rows()).toEqual([
      { key: 'line/1.jpg', bucket: null, belt: 'north', traceparent, id: 'h:1', at: null },
    ]);
    expect(seen).toEqual([jpeg.toString(), jpeg.toString()]);
    expect(await audited()).toMatchObject({ ok: true, waiting: 0, unverifiable: 0, messages: 2 });
  });

  it('that fails is a dead letter, and its bytes are what a retry sends', async () => {
    const value = Buffer.concat([jpeg, Buffer.alloc(2000)]);
    const headers = { [header.belt]: 'north', [header.traceparent]: traceparent };
    const { run, letters, pool, retryAll, rows, audited } = await belt([
      { key: Buffer.from('big.jpg'), value, headers },
    ]);
    expect(await run()).toMatchObject({ predicted: 0, deadLettered: 1 });
    const [letter] = await letters();
    expect(letter).toMatchObject({
      code: 'too_large',
      key: 'big.jpg',
      state: 'open',
      belt: 'north',
      traceparent,
    });
    expect((await readLetter(pool, 'p', letter!.id))!.value).toEqual(value);
    expect(await retryAll()).toMatchObject({ retried: 1 });
    expect(await run({ maxImageBytes: 3000, imageMemoryBytes: 3000 })).toMatchObject({ predicted: 1 });
    expect(await rows()).toMatchObject([{ key: 'big.jpg', belt: 'north', traceparent }]);
    expect(await letters()).toMatchObject([{ state: 'resolved' }]);
    expect(await audited()).toMatchObject({ ok: true });
  });
});

describe('S3 events', () => {
  it('ask for images of the store and of allowed buckets; others’ are dead letters until they are allowed', async () => {
    const { run, rows, letters, asked, retryAll, audited } = await belt([
      event(put('own', 'a+b.jpg'), put('side', 'a+b.jpg'), put('third', 'a%20c.jpg')),
    ]);
    expect(await run()).toMatchObject({ predicted: 2, deadLettered: 1, ignored: 0 });
    const at = new Date('2026-11-22T10:00:00.000Z');
    const told = { belt: null, traceparent: null };
    const inStore = { ...told, key: 'a b.jpg', bucket: null, id: 's3:own/a+b.jpg/0055AED6DCD90281E5', at };
    const aside = { ...told, key: 'a b.jpg', bucket: 'side', id: 's3:side/a+b.jpg/0055AED6DCD90281E5', at };
    expect(await rows()).toEqual([inStore, aside]);
    expect(asked).toEqual(['side/a b.jpg']);
    expect(await letters()).toMatchObject([{ code: 'bucket_not_allowed', key: 'a c.jpg', stage: 'read' }]);
    expect(await audited()).toMatchObject({ ok: true });

    expect(await retryAll()).toMatchObject({ retried: 1 });
    const allowed = { ...messages, buckets: ['side', 'third'] };
    expect(await run({ messages: allowed })).toMatchObject({ predicted: 1, deadLettered: 0 });
    expect(asked.at(-1)).toBe('third/a c.jpg');
    const third = {
      ...told,
      key: 'a c.jpg',
      bucket: 'third',
      id: 's3:third/a%20c.jpg/0055AED6DCD90281E5',
      at,
    };
    expect(await rows()).toEqual([inStore, aside, third]);
    expect(await letters()).toMatchObject([{ state: 'resolved' }]);
    expect(await audited()).toMatchObject({ ok: true, missing: 0, orphaned: 0, doubled: 0 });
  });

  it('are one request each however often they are delivered', async () => {
    const { run, rows } = await belt([
      event(put('own', 'a')),
      event(put('own', 'a'), put('own', 'b')),
      event(put('own', 'b')),
    ]);
    expect(await run()).toMatchObject({ predicted: 2 });
    expect((await rows()).map(({ key }) => key)).toEqual(['a', 'b']);
  });

  it('that ask for nothing move the position and are counted, without a row or a dead letter', async () => {
    const { run, pool, topic, letters, rows, audited, events } = await belt([
      { value: Buffer.from('{"Service":"S3","Event":"s3:TestEvent"}') },
      event(put('own', 'a', 'ObjectRemoved:Delete'), put('own', 'b', 'ObjectRemoved:Delete')),
      event(put('own', 'a'), put('own', 'c', 'ObjectRemoved:Delete')),
      event(),
    ]);
    expect(await run()).toMatchObject({ predicted: 1, deadLettered: 0, ignored: 5 });
    const recorded = events.filter(({ kind }) => kind === 'recorded') as { ignored: number }[];
    expect(recorded.reduce((sum, { ignored }) => sum + ignored, 0)).toBe(5);
    expect(await rows()).toHaveLength(1);
    expect(await letters()).toEqual([]);
    const [position] = (await pool.query('select next_offset, predicted, ignored from positions'))
      .rows as object[];
    expect(position).toEqual({ next_offset: 4, predicted: 1, ignored: 5 });
    expect(await status(pool, 'images', topic, 'p')).toMatchObject({
      ignored: 5,
      predictions: 1,
      deadLetters: 0,
    });
    expect(await audited()).toMatchObject({ ok: true, messages: 4, waiting: 0 });
    // Once more from there: nothing is counted twice.
    expect(await run()).toMatchObject({ ignored: 0 });
    expect((await pool.query('select ignored from positions')).rows).toEqual([{ ignored: 5 }]);
  });

  it('of a hundred images are worked on a few at a time, and end as a hundred rows in one message', async () => {
    const keys = Array.from({ length: 100 }, (_, n) => `${n}`);
    const { run, rows, state } = await belt([event(...keys.map((key) => put('own', key)))]);
    expect(await run()).toMatchObject({ predicted: 100 });
    expect(new Set((await rows()).map(({ key }) => key))).toEqual(new Set(keys));
    expect(state.mostAtOnce).toBeLessThanOrEqual(16);
  });

  it('name what the database refuses, image by image, so that each can be retried', async () => {
    const { run, letters, pool, retryAll, rows } = await belt([event(put('own', 'a'), put('own', 'b'))]);
    await pool.query("alter table prediction_results add constraint odd check (image_key <> 'a')");
    expect(await run()).toMatchObject({ predicted: 0, deadLettered: 2 });
    expect(await letters()).toMatchObject([{ code: 'not_recordable' }, { code: 'not_recordable' }]);
    await pool.query('alter table prediction_results drop constraint odd');
    expect(await retryAll()).toMatchObject({ retried: 2 });
    expect(await run()).toMatchObject({ predicted: 2 });
    expect((await rows()).map(({ key }) => key)).toEqual(['a', 'b']);
    expect(await letters()).toMatchObject([{ state: 'resolved' }, { state: 'resolved' }]);
  });
});

describe('a bucket besides the store’s', () => {
  it('that denies access does not make the store’s own images suspects, and is waited for', async () => {
    const { run, rows, bucketFaults, seen, letters } = await belt([
      event(put('side', 'x')),
      event(put('own', 'a')),
      event(put('own', 'b')),
    ]);
    bucketFaults.set('x', fault('access_denied'));
    const running = run({ giveUpAfterMs: 50 });
    await seen(({ kind }) => kind === 'waiting');
    // Others of the store succeed, none of that bucket: it is not this object's own fault.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await letters()).toEqual([]);
    bucketFaults.clear();
    await running;
    expect((await rows()).map(({ key }) => key)).toEqual(['a', 'b', 'x']);
  });
});

describe('an envelope', () => {
  it('brings everything to the row', async () => {
    const envelope = {
      visionscale: 1,
      id: 'mine',
      imageKey: 'a.jpg',
      belt: 'south',
      capturedAt: '2026-11-22T09:00:00.123Z',
      traceparent,
    };
    const { run, rows } = await belt([{ value: Buffer.from(JSON.stringify(envelope)) }]);
    await run();
    const at = new Date('2026-11-22T09:00:00.123Z');
    expect(await rows()).toEqual([
      { key: 'a.jpg', bucket: null, belt: 'south', traceparent, id: 'mine', at },
    ]);
  });
});
