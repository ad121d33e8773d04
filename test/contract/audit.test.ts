/** What an audit may say of a topic that moves: read by others meanwhile, cut by retention, created anew. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { audit, type AuditResult } from '../../src/lib/pipeline/audit/audit.ts';
import { imageTable, markProduced } from '../../src/lib/systems/database/tables/images.ts';
import { header } from '../../src/lib/systems/message/record.ts';
import { producedRequestId } from '../../src/lib/systems/message/request.ts';
import { openFileStore } from '../../src/lib/systems/objects/file/file.ts';
import { openEmbeddedTopic, type EmbeddedTopic } from '../../src/lib/systems/topic/embedded/topic.ts';
import { testDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let topic: EmbeddedTopic;
const pipeline = 'p';
const sql = (text: string, values: unknown[] = []) => database.pool.query(text, values);

beforeEach(async () => {
  database = await testDatabase();
  topic = await openEmbeddedTopic({ pool: database.pool, name: 't', retentionBytes: 0 });
  await topic.create(1);
});
afterEach(async () => {
  await topic[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const run = (onRead: () => void = () => undefined, signal = new AbortController().signal) =>
  audit(
    { pool: database.pool, topic, store: null, report: ({ kind }) => void (kind === 'read' && onRead()) },
    { pipeline, limit: 10, nameUnlisted: false, signal },
  );
const summary = ({ missing, doubled, orphaned, waiting, unverifiable, toProduce }: AuditResult) => ({
  missing,
  doubled,
  orphaned,
  waiting,
  unverifiable,
  toProduce,
});
const clean = { missing: 0, doubled: 0, orphaned: 0, waiting: 0, unverifiable: 0, toProduce: 0 };

/** What upload and produce do. */
async function ask(keys: string[]): Promise<void> {
  await imageTable(database.pool).save(
    keys.map((key) => ({ key, sha256: 'x', bytes: 1, contentType: 'image/png' })),
  );
  await send(keys.map((key) => [key, producedRequestId(key, 1)]));
  await markProduced(
    database.pool,
    keys.map((key) => ({ key, round: 1 })),
  );
}

async function send(messages: [key: string, id: string | null][]): Promise<void> {
  await using producer = await topic.producer();
  await producer.send(
    messages.map(([key, id]) => ({
      key: null,
      value: Buffer.from(key),
      headers: id === null ? {} : { [header.requestId]: id },
    })),
  );
}

/** What a consumer's transaction does for all messages before `end`. */
async function recordUpTo(end: number): Promise<void> {
  await sql(
    `with taken as (
       select r.*, coalesce(headers->>$3, topic || '/' || partition || '/' || "offset" || '@' || timestamp_ms) as id
       from topic_records r where topic = 't' and "offset" < $1
         and "offset" >= coalesce((select next_offset from positions where pipeline = $2), 0)
     ), outcomes as (
       insert into prediction_results (image_key, category, confidence, hostname, pipeline, request_id, topic,
         partition, "offset", model, model_version, model_digest, top, stages)
       select convert_from(value, 'UTF8'), 'cat', 50, 'h', $2, id, 't', partition, "offset", 'm', '1', 'd', '[]', '{}'
       from taken on conflict do nothing
     )
     insert into positions (pipeline, topic, partition, next_offset, last_offset, last_timestamp_ms)
     select $2, 't', 0, "offset" + 1, "offset", timestamp_ms from taken order by "offset" desc limit 1
     on conflict (pipeline, topic, partition) do update set next_offset = excluded.next_offset,
       last_offset = excluded.last_offset, last_timestamp_ms = excluded.last_timestamp_ms`,
    [end, pipeline, header.requestId],
  );
}

async function createAnew(): Promise<void> {
  await sql(`delete from topic_records`);
  await sql(`update topic_heads set first_offset = 0, next_offset = 0, bytes = 0`);
}

const keys = (count: number, name = 'k') => Array.from({ length: count }, (_, n) => `${name}${n}.png`);

describe('audit of a topic that moves', () => {
  it('cries no wolf while others produce and record', async () => {
    await ask(keys(20));
    let over = false;
    const stream = (async () => {
      for (let n = 1; !over; n++) {
        await ask(keys(5, `new ${n} `));
        await recordUpTo(20 + 5 * n - 3);
      }
    })();
    for (let n = 0; n < 10; n++) {
      const { missing, doubled, orphaned, unverifiable, named } = await run();
      expect({ missing, doubled, orphaned, unverifiable, named }).toEqual({
        ...{ missing: 0, doubled: 0, orphaned: 0, unverifiable: 0 },
        named: { missing: [], doubled: [], orphaned: [], mismatched: [] },
      });
    }
    over = true;
    await stream;
  });

  it('sees the highest offset recorded instead of the end of what is done without a gap', async () => {
    await ask(keys(6));
    await recordUpTo(6);
    await sql(`delete from prediction_results where "offset" in (2, 3)`);
    const { named } = await run();
    expect(named.missing.map(({ requestId }) => requestId)).toEqual(['p:1:k2.png', 'p:1:k3.png']);
    // Sent again, they are on their way.
    await send([['k2.png', 'p:1:k2.png']]);
    expect(summary(await run())).toEqual({ ...clean, missing: 1, waiting: 1 });
  });

  it('keeps what retention deleted after it was recorded, and misses what it deleted before', async () => {
    await ask(keys(4));
    await send([['bare.png', null]]);
    await recordUpTo(5);
    await using reader = await topic.reader({ partition: 0, from: 0, group: 'p' });
    await reader.commit(0, 5);
    await topic.applyRetention();
    expect(await topic.bounds(0)).toEqual({ first: 5, end: 5 });
    await ask(keys(2, 'later'));
    expect(summary(await run())).toEqual({ ...clean, unverifiable: 1, waiting: 2 }); // the bare one
    await reader.commit(0, 7); // somebody else's doing: nobody has recorded them
    await topic.applyRetention();
    expect(await topic.bounds(0)).toEqual({ first: 7, end: 7 });
    const { named, missing } = await run();
    expect(missing).toBe(2);
    expect(named.missing.map(({ kind, key }) => [kind, key])).toEqual([
      ['row', 'later0.png'],
      ['row', 'later1.png'],
    ]);
  });

  it('reads on where retention deletes what it was about to read', async () => {
    await ask(keys(5000));
    await recordUpTo(5000);
    let cut = false;
    const result = await run(() => {
      if (cut) return;
      cut = true;
      void sql('delete from topic_records where "offset" < 4500').then(() =>
        sql('update topic_heads set first_offset = 4500'),
      );
    });
    expect(summary(result)).toEqual(clean);
  });

  it('knows a topic that was created anew, before and after its consumer does', async () => {
    await send(keys(6, 'old').map((key) => [key, null]));
    await recordUpTo(6);
    await createAnew();
    await new Promise((resolve) => setTimeout(resolve, 5)); // another millisecond: that is how it is told
    await send(keys(3, 'new').map((key) => [key, null]));
    // The position lies behind the end, and all of it is still to come.
    expect(summary(await run())).toEqual({ ...clean, waiting: 3, unverifiable: 6 });
    await send(keys(9, 'more').map((key) => [key, null]));
    // It lies within now, but the record before it is another.
    expect(summary(await run())).toEqual({ ...clean, waiting: 12, unverifiable: 6 });
    await sql('delete from positions');
    await recordUpTo(12);
    expect(summary(await run())).toEqual({ ...clean, unverifiable: 6 });
  });

  it('begins at the committed offset where there is no position, as a consumer does', async () => {
    await send(keys(4).map((key) => [key, null]));
    await sql(`insert into topic_commits values ('t', $1, 0, 3)`, [pipeline]);
    expect(summary(await run())).toEqual({ ...clean, missing: 3, waiting: 1 });
  });

  it('stops when it is told to, says that the topic is missing, and leaves nothing behind', async () => {
    await ask(keys(3000));
    const stop = new AbortController();
    await expect(run(() => stop.abort(), stop.signal)).rejects.toMatchObject({ code: 'interrupted' });
    await sql('delete from topic_heads');
    await expect(run()).rejects.toMatchObject({ code: 'topic_missing' });
    await expect
      .poll(async () => (await sql(`select from pg_class where relname like 'audit\\_%'`)).rowCount)
      .toBe(0);
  });
});

describe('audit of what nobody asked for', () => {
  const predict = (requestId: string, key: string, offset: number) =>
    sql(
      `insert into prediction_results (image_key, category, confidence, hostname, pipeline, request_id, topic,
         partition, "offset", model, model_version, model_digest, top, stages)
       values ($1, 'cat', 50, 'h', $2, $3, 't', 0, $4, 'm', '1', 'd', '[]', '{}')`,
      [key, pipeline, requestId, offset],
    );

  it('names every prediction and dead letter without a message, and is not content', async () => {
    await ask(keys(3));
    await recordUpTo(3);
    expect(await run()).toMatchObject({ ok: true, orphaned: 0 });
    await predict('p:1:nobody.png', 'nobody.png', 1000);
    await predict('p:4:k1.png', 'k1.png', 1001); // its row has come to round 1 only
    await sql(
      `insert into dead_letters (pipeline, request_id, topic, partition, "offset", headers, stage, code, message,
         hostname) values ($1, 'of nobody', 't', 0, 1002, '{}', 'read', 'unreadable_message', '', '')`,
      [pipeline],
    );
    const { ok, named, ...counts } = await run();
    expect({ ok, orphaned: counts.orphaned }).toEqual({ ok: false, orphaned: 3 });
    expect(named.orphaned.map(({ kind, requestId }) => `${kind} ${requestId}`).sort()).toEqual([
      'dead_letter of nobody',
      'prediction p:1:nobody.png',
      'prediction p:4:k1.png',
    ]);
  });

  it('names an object that no row knows, where it is told to', async () => {
    await ask(keys(1));
    await recordUpTo(1);
    const dir = await mkdtemp(join(tmpdir(), 'visionscale-audit-'));
    onTestFinished(() => rm(dir, { recursive: true }));
    await using store = openFileStore(dir);
    for (const key of ['k0.png', 'stray.png']) await store.put(key, Buffer.from(key), { contentType: '' });
    const deps = { pool: database.pool, topic, store, report: () => undefined };
    const options = { pipeline, limit: 10, signal: new AbortController().signal };
    expect(await audit(deps, { ...options, nameUnlisted: false })).toMatchObject({ ok: true, unlisted: 1 });
    const { ok, orphaned, named } = await audit(deps, { ...options, nameUnlisted: true });
    expect({ ok, orphaned }).toEqual({ ok: false, orphaned: 1 });
    expect(named.orphaned).toMatchObject([{ kind: 'object', key: 'stray.png' }]);
  });
});
