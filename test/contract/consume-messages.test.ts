/** Messages of every kind through `consume`, on a real topic and database: what becomes of them, and of their retries. */
import type { Pool } from 'pg';
import { describe, expect, it } from 'vitest';
import { audit } from '../../src/lib/pipeline/audit/audit.ts';
import type { ConsumeDeps, ConsumeOptions } from '../../src/lib/pipeline/consume/options.ts';
import { retryDeadLetters } from '../../src/lib/pipeline/dead-letters/dead-letters.ts';
import { status } from '../../src/lib/pipeline/status.ts';
import { readLetter } from '../../src/lib/systems/database/tables/dead-letters.ts';
import { header, type OutgoingRecord } from '../../src/lib/systems/message/record.ts';
import type { MessageRules } from '../../src/lib/systems/message/rules.ts';
import type { Buckets } from '../../src/lib/systems/objects/open.ts';
import type { GetOptions, ObjectStore } from '../../src/lib/systems/objects/store.ts';
import { ResultTopics } from '../../src/lib/systems/publish/topics.ts';
import { openEmbeddedTopic } from '../../src/lib/systems/topic/embedded/topic.ts';
import { fault, setUp } from '../support/fake-consumer.ts';
import { itThorough } from '../support/thorough.ts';

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
    run: (options: Partial<ConsumeOptions> = {}, deps: Partial<ConsumeDeps> = {}) =>
      consumer.run({ messages, ...options }, { buckets, ...deps }),
    /** Dead letters and results are published too. */
    results: new ResultTopics(topic, (name) => openEmbeddedTopic({ pool, name })),
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

describe('the retry of a dead letter', () => {
  /** A dead letter of `message`, made by a store that does not have its image; and then the store has everything. */
  async function letterOf(message: Partial<OutgoingRecord>) {
    const world = await belt([message]);
    world.state.storeFault = () => fault('not_found');
    await world.run({ notFoundGraceMs: 0 });
    world.state.storeFault = () => null;
    const { rows } = await world.pool.query<{ id: string }>('select request_id as id from dead_letters');
    return { ...world, id: rows[0]!.id };
  }

  it.each<[string, Partial<OutgoingRecord>, Partial<OutgoingRecord>]>([
    ['another key', { value: Buffer.from('a.jpg') }, { value: Buffer.from('b.jpg') }],
    [
      'another key under an id of its sender’s',
      { value: Buffer.from('a.jpg'), headers: { [header.requestId]: 'mine' } },
      { value: Buffer.from('b.jpg') },
    ],
    ['an image of that name', { value: Buffer.from('a.jpg') }, { key: Buffer.from('a.jpg'), value: jpeg }],
    ['another event', event(put('own', 'a.jpg')), event(put('own', 'b.jpg'))],
    [
      'text for a message that was unreadable',
      { value: Buffer.from('../a') },
      { value: Buffer.from('b.jpg') },
    ],
  ])('is the letter’s message alone: %s is a message like any other', async (_, original, forged) => {
    const { id, topic, run, rows, letters, retryAll, audited } = await letterOf(original);
    const headers = { ...original.headers, [header.requestId]: id, [header.retry]: '1' };
    await using producer = await topic.producer();
    const before = await letters();
    await producer.send([{ key: null, value: Buffer.alloc(0), ...forged, headers }]);
    expect(await run()).toMatchObject({ predicted: 1, deadLettered: 0 });
    expect(await letters()).toEqual(before);
    const [row] = await rows();
    expect(row!.id).not.toBe(id);
    expect(row!.key).toBe(forged.value === jpeg ? 'a.jpg' : 'b.jpg');
    expect(await audited()).toMatchObject({ ok: true });

    await retryAll();
    await run();
    const isReadable = before[0]!.code !== 'unreadable_message';
    expect(await letters()).toMatchObject([{ state: isReadable ? 'resolved' : 'open' }]);
    expect((await rows()).some((one) => one.id === id)).toBe(isReadable);
    expect(await audited()).toMatchObject({ ok: true });
  });

  it('that fails for another message’s name is no attempt of the letter', async () => {
    const { pool, topic, run, state, retryAll, letters } = await letterOf({
      value: Buffer.from('a.jpg'),
      headers: { [header.requestId]: 'mine' },
    });
    state.storeFault = () => fault('not_found');
    await using producer = await topic.producer();
    const headers = { [header.requestId]: 'mine', [header.retry]: '1' };
    await producer.send([{ key: null, value: Buffer.from('b.jpg'), headers }]);
    await run({ notFoundGraceMs: 0 });
    const { rows } = await pool.query('select image_key, attempts, headers from dead_letters order by id');
    expect(rows).toEqual([
      { image_key: 'a.jpg', attempts: 1, headers: { [header.requestId]: 'mine' } },
      { image_key: 'b.jpg', attempts: 1, headers: { [header.requestId]: 'mine' } },
    ]);
    state.storeFault = () => null;
    expect(await retryAll()).toMatchObject({ retried: 2 });
    expect(await run()).toMatchObject({ predicted: 2 });
    expect(await letters()).toMatchObject([{ state: 'resolved' }, { state: 'resolved' }]);
  });

  it('counts once where another pipeline reads the same topic', async () => {
    const { pool, run, retryAll } = await letterOf({ value: Buffer.from('a.jpg') });
    expect(await run({ pipeline: 'q' })).toMatchObject({ predicted: 1 });
    await retryAll();
    expect(await run()).toMatchObject({ predicted: 1 });
    expect(await run({ pipeline: 'q' })).toMatchObject({ predicted: 0 });
    const { rows } = await pool.query('select distinct request_id from prediction_results');
    expect(rows).toHaveLength(1);
  });
});

describe('a request id that names another image', () => {
  it('takes the place of none: both images have their row', async () => {
    const headers = { [header.requestId]: 'p:1:b.jpg' };
    const { run, rows, audited } = await belt([
      { value: Buffer.from('a.jpg'), headers },
      { value: Buffer.from('../b.jpg'), headers },
      { value: Buffer.from('b.jpg'), headers },
    ]);
    expect(await run()).toMatchObject({ predicted: 2, deadLettered: 1 });
    expect((await rows()).map(({ key, id }) => [key, id === 'p:1:b.jpg']).sort()).toEqual([
      ['a.jpg', false],
      ['b.jpg', true],
    ]);
    expect(await audited()).toMatchObject({ ok: true, mismatched: 0 });
  });

  it('is found by audit, in an outcome and in a message that counted as a repetition', async () => {
    const headers = { [header.requestId]: 'mine' };
    const { pool, run, audited } = await belt([
      { value: Buffer.from('a.jpg'), headers },
      { value: Buffer.from('b.jpg'), headers },
      { value: Buffer.from('c.jpg'), headers: { [header.requestId]: 'p:1:c.jpg' } },
    ]);
    expect(await run()).toMatchObject({ predicted: 2 });
    const message = { key: 'b.jpg', requestId: 'mine', kind: 'message' };
    expect(await audited()).toMatchObject({ ok: false, mismatched: 1, named: { mismatched: [message] } });
    await pool.query(`update prediction_results set image_key = 'd.jpg' where image_key = 'c.jpg'`);
    expect(await audited()).toMatchObject({
      ok: false,
      missing: 0,
      doubled: 0,
      orphaned: 0,
      mismatched: 2,
      named: { mismatched: [{ key: 'd.jpg', requestId: 'p:1:c.jpg', kind: 'prediction' }, message] },
    });
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
    const { run, letters, pool, retryAll, rows, audited } = await belt([
      event(put('own', 'a'), put('own', 'b')),
    ]);
    await pool.query("alter table prediction_results add constraint odd check (image_key <> 'a')");
    expect(await run()).toMatchObject({ predicted: 0, deadLettered: 2 });
    expect(await letters()).toMatchObject([{ code: 'not_recordable' }, { code: 'not_recordable' }]);
    expect(await audited()).toMatchObject({ ok: true, missing: 0, orphaned: 0 });
    await pool.query('alter table prediction_results drop constraint odd');
    expect(await retryAll()).toMatchObject({ retried: 2 });
    expect(await run()).toMatchObject({ predicted: 2 });
    expect((await rows()).map(({ key }) => key)).toEqual(['a', 'b']);
    expect(await letters()).toMatchObject([{ state: 'resolved' }, { state: 'resolved' }]);
    expect(await audited()).toMatchObject({ ok: true, missing: 0, orphaned: 0 });
  });
});

describe('a message that only says that it is a retry', () => {
  it.each([
    ['of nothing that can be told apart', [{}, {}]],
    ['of more than is answered', Array.from({ length: 1001 }, () => ({}))],
  ])('%s takes no id of an image that is still to come', async (_, records) => {
    const id = 'p:0:dog.jpg';
    const forged = { ...event(...records), headers: { [header.requestId]: id, [header.retry]: '1' } };
    const { run, rows, letters, topic, audited } = await belt([forged]);
    expect(await run()).toMatchObject({ deadLettered: 1 });
    await using producer = await topic.producer();
    await producer.send([{ key: null, value: Buffer.from('dog.jpg'), headers: { [header.requestId]: id } }]);
    expect(await run()).toMatchObject({ predicted: 1 });
    expect(await rows()).toMatchObject([{ id, key: 'dog.jpg' }]);
    expect(await letters()).toHaveLength(1);
    expect(await audited()).toMatchObject({ ok: true });
  });
});

describe('a message that asks for much', () => {
  const nothings = (count: number) => ({
    value: Buffer.from(`{"Records":[${Array(count).fill('{}').join()}]}`),
  });
  const images = (count: number) => event(...Array.from({ length: count }, (_, n) => put('own', `${n}.jpg`)));
  const good = (key: string) => ({ value: Buffer.from(key) });
  /** What all of it takes on disk, indexes and the outbox too. */
  const bytesOf = async ({ pool }: { pool: Pool }) => {
    const { rows } = await pool.query<{ bytes: number }>(
      `select sum(pg_total_relation_size(t::regclass))::int8 as bytes
       from unnest(array['dead_letters', 'prediction_results', 'outbox']) t`,
    );
    return rows[0]!.bytes;
  };

  it('is one dead letter beyond what is allowed, and good ones around it are answered', async () => {
    const { run, pool, letters, rows, audited } = await belt([
      good('a'), nothings(20_000), good('b'), nothings(20_000), nothings(20_000), good('c'),
    ]); // prettier-ignore
    const before = await bytesOf({ pool });
    expect(await run()).toMatchObject({ predicted: 3, deadLettered: 3 });
    expect((await rows()).map(({ key }) => key)).toEqual(['a', 'b', 'c']);
    const codes = (await letters()).map(({ code }) => code);
    expect(codes).toEqual(Array(3).fill('too_many_requests'));
    expect((await bytesOf({ pool })) - before).toBeLessThan(300_000);
    expect(await audited()).toMatchObject({ ok: true, missing: 0, orphaned: 0 });
  });

  it('and for nothing that can be told apart is one dead letter just below it', async () => {
    const { run, pool, letters, results } = await belt([good('a'), nothings(1000), nothings(999), good('b')]);
    const before = await bytesOf({ pool });
    expect(await run({}, { results })).toMatchObject({ predicted: 2, deadLettered: 2 });
    expect((await letters()).map(({ code }) => code)).toEqual(Array(2).fill('unreadable_message'));
    // Two messages of 3 kB, their letters and what is to be published of it, in pages of 8 kB.
    expect((await bytesOf({ pool })) - before).toBeLessThan(150_000);
  });

  it('is answered request by request once it is allowed and retried, and is known by the audit either way', async () => {
    const { run, letters, rows, retryAll, audited } = await belt([images(5)]);
    const few = { messages: { ...messages, messageRequests: 4 } };
    expect(await run(few)).toMatchObject({ predicted: 0, deadLettered: 1 });
    expect(await audited()).toMatchObject({ ok: true, missing: 0, orphaned: 0 });
    expect(await retryAll()).toMatchObject({ retried: 1 });
    expect(await run(few)).toMatchObject({ predicted: 0, deadLettered: 0 });
    expect(await letters()).toMatchObject([{ code: 'too_many_requests', state: 'open' }]);
    expect(await audited()).toMatchObject({ ok: true, missing: 0, orphaned: 0 });
    // Sent twice, it counts once.
    await retryAll();
    await retryAll();
    expect(await run()).toMatchObject({ predicted: 5, deadLettered: 0 });
    expect(await letters()).toMatchObject([{ code: 'too_many_requests', state: 'resolved' }]);
    expect(await rows()).toHaveLength(5);
    expect(await audited()).toMatchObject({ ok: true, missing: 0, orphaned: 0, doubled: 0 });
  });

  itThorough('keeps its headers and its key no more than once', async () => {
    const headers = {
      'x-large': 'h'.repeat(16_000),
      [header.belt]: 'north',
      [header.traceparent]: traceparent,
    };
    const { run, pool, letters, state, retryAll, results } = await belt([
      { ...images(900), headers, key: Buffer.alloc(16_000, 'k') },
    ]);
    state.storeFault = () => fault('not_found');
    const before = await bytesOf({ pool });
    expect(await run({ notFoundGraceMs: 0 }, { results })).toMatchObject({ predicted: 0, deadLettered: 900 });
    expect(await letters()).toHaveLength(900);
    // Its value is 150 kB, and every image that is not there has its letter.
    expect((await bytesOf({ pool })) - before).toBeLessThan(2_500_000);
    expect((await pool.query('select distinct headers, message_key from dead_letters')).rows).toEqual([
      { headers: { [header.belt]: 'north', [header.traceparent]: traceparent }, message_key: null },
    ]);
    state.storeFault = () => null;
    expect(await retryAll()).toMatchObject({ retried: 900 });
    expect(await run()).toMatchObject({ predicted: 900 });
    expect((await pool.query('select distinct belt from prediction_results')).rows).toEqual([
      { belt: 'north' },
    ]);
  });

  it('takes one lock, whatever it asks for', async () => {
    const { run, pool, seen, stop } = await belt([images(1000)]);
    const holder = await pool.connect();
    await holder.query('begin; lock table positions in share mode');
    const running = run({ untilDrained: false });
    const waiting = `select count(*) filter (where locktype = 'advisory')::int4 as n, bool_or(not granted) as waits
      from pg_locks where pid <> pg_backend_pid() and database = (select oid from pg_database where datname = current_database())`;
    let found: { n: number; waits: boolean | null };
    do [found] = (await holder.query<{ n: number; waits: boolean | null }>(waiting)).rows as [typeof found];
    while (found.waits !== true);
    expect(found.n).toBe(1);
    await holder.query('commit');
    holder.release();
    await seen((event) => event.kind === 'recorded' && event.predicted === 1000);
    stop.abort();
    await running;
  });

  /** As a server whose memory for locks is used up answers, `times` times (0: for ever) for this key. */
  const outOfMemory = (pool: Pool, key: string, times: number) =>
    pool.query(
      `create sequence refusals;
       create function refuse() returns trigger language plpgsql as $$ begin
         if new.image_key = '${key}' and (${times} = 0 or nextval('refusals') <= ${times}) then
           raise 'out of shared memory' using errcode = '53200';
         end if;
         return new; end $$;
       create trigger refuse before insert on prediction_results for each row execute function refuse()`,
    );

  it('that the server has no memory for is tried again, and nothing is given up where that passes', async () => {
    const { run, pool, rows, letters, events } = await belt(['a', 'b', 'c', 'd'].map(good));
    await outOfMemory(pool, 'b', 6);
    expect(await run()).toMatchObject({ predicted: 4, deadLettered: 0 });
    expect(await rows()).toHaveLength(4);
    expect(await letters()).toEqual([]);
    expect(events).toContainEqual(expect.objectContaining({ kind: 'retrying', stage: 'record' }));
  });

  itThorough('that the server never has memory for is a dead letter, and no other message is', async () => {
    const { run, pool, rows, letters } = await belt(['a', 'b', 'c', 'd'].map(good));
    await outOfMemory(pool, 'b', 0);
    expect(await run()).toMatchObject({ predicted: 3, deadLettered: 1 });
    expect((await rows()).map(({ key }) => key).sort()).toEqual(['a', 'c', 'd']);
    expect(await letters()).toMatchObject([{ code: 'not_recordable' }]);
  });

  it('is one dead letter where the server does not even take one for each of its requests', async () => {
    const { run, pool, letters, retryAll, rows } = await belt([images(3), good('after')]);
    await pool.query(
      `alter table prediction_results add constraint odd check (image_key <> '1.jpg');
       alter table dead_letters add constraint odd check (request_id not like '%#%')`,
    );
    expect(await run()).toMatchObject({ predicted: 1, deadLettered: 1 });
    expect(await letters()).toMatchObject([{ code: 'not_recordable', state: 'open' }]);
    await pool.query('alter table prediction_results drop constraint odd');
    await retryAll();
    expect(await run()).toMatchObject({ predicted: 3 });
    expect(await rows()).toHaveLength(4);
    expect(await letters()).toMatchObject([{ state: 'resolved' }]);
  });

  itThorough('never moves a position back, though its group is recorded in parts', async () => {
    const { run, pool, rows } = await belt(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map(good));
    await outOfMemory(pool, 'g', 12);
    await pool.query(
      `create function forth() returns trigger language plpgsql as $$ begin
         if new.next_offset < old.next_offset then raise 'the position goes back'; end if; return new; end $$;
       create trigger forth before update on positions for each row execute function forth()`,
    );
    expect(await run()).toMatchObject({ predicted: 8, deadLettered: 0 });
    expect(await rows()).toHaveLength(8);
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
    const running = run({ retryImageForMs: 50 });
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
