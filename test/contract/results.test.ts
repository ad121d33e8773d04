/** Results and dead letters published behind their rows, on every topic: none lost, whoever is killed or away, and sorted. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import Ajv from 'ajv';
import type { Pool } from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TopicError } from '../../src/lib/base/errors.ts';
import type { Classifier } from '../../src/lib/models/classifier/classifier.ts';
import { oneModel } from '../../src/lib/pipeline/consume/models.ts';
import type { ConsumeEvent } from '../../src/lib/pipeline/consume/options.ts';
import { status } from '../../src/lib/pipeline/status.ts';
import { parseRules } from '../../src/lib/systems/bins/rules-file.ts';
import { useBins } from '../../src/lib/systems/database/tables/bins.ts';
import { oldestInOutbox, readBacklog } from '../../src/lib/systems/database/tables/outbox.ts';
import { latestResults, unsurePredictions } from '../../src/lib/systems/database/tables/predictions.ts';
import { readResultPage } from '../../src/lib/systems/database/tables/results.ts';
import { header, type OutgoingRecord, type TopicRecord } from '../../src/lib/systems/message/record.ts';
import { ResultTopics } from '../../src/lib/systems/publish/topics.ts';
import { openEmbeddedTopic } from '../../src/lib/systems/topic/embedded/topic.ts';
import { openKafkaTopic } from '../../src/lib/systems/topic/kafka/topic.ts';
import type { Topic } from '../../src/lib/systems/topic/topic.ts';
import { fault, setUp } from '../support/fake-consumer.ts';
import { describeWith } from '../support/servers.ts';

const schema = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../docs/${name}.schema.json`, import.meta.url), 'utf8')) as object;
const ajv = new Ajv({ allErrors: true });
const isResult = ajv.compile(schema('result'));
const isDead = ajv.compile(schema('dead'));

interface Result {
  id: string;
  imageKey: string;
  category: string;
  novelty: number | null;
  bin: string | null;
  binReason: string | null;
  binVersion: number | null;
}

const model = { name: 'm', version: '1', digest: `sha256:${'0'.repeat(64)}`, labels: [] };

/** A key says what its image shows: `category/confidence of the first/of the second/anything`, or `novelty 1.5` at the end. */
const classifier = {
  engine: 'onnx',
  workers: 2,
  model,
  async classify(image: Uint8Array) {
    await new Promise((resolve) => setImmediate(resolve));
    const [category = '', first, second, last = ''] = Buffer.from(image).toString().split('/');
    const novelty = /^novelty (.+)$/.exec(last)?.[1];
    const top = [
      { category, confidence: Number(first) },
      { category: 'another', confidence: Number(second) },
    ];
    const stages = { decode: 0, preprocess: 0, infer: 0 };
    return { model, top, stages, ...(novelty !== undefined && { novelty: Number(novelty) }) };
  },
} as unknown as Classifier;
const models = oneModel(classifier);

const keys = (count: number) => Array.from({ length: count }, (_, n) => `red circle/90/5/${n}.png`);

function suite(openTopic: ((name: string) => Promise<Topic>) | null): void {
  /** A consumer of one partition that sorts and publishes. */
  async function setUpResults(keys: string[]) {
    const source = openTopic && (await openTopic(`test.${randomBytes(6).toString('hex')}`));
    await source?.create(1);
    const consumer = await setUp(keys, source ?? undefined);
    const { pool, topic } = consumer;
    const open = openTopic ?? ((name: string) => openEmbeddedTopic({ pool, name, expireUnread: true }));
    const results = new ResultTopics(topic, open);
    onTestFinished(() => results[Symbol.asyncDispose]());
    const run = (options: Parameters<typeof consumer.run>[0] = {}, topics = results) =>
      consumer.run({ imageMemoryBytes: 1e6, ...options }, { models, results: topics });
    const published = async (kind: 'results' | 'dead') => {
      const name = `${topic.name}.${kind}`;
      await using there = await open(name);
      if ((await there.partitions()) === 0) return [];
      return (await readAll(there)).map((record) => ({ record, value: parsed(record) }));
    };
    const send = async (records: OutgoingRecord[]) => {
      await using producer = await topic.producer();
      await producer.send(records);
    };
    return { ...consumer, open, results, run, published, send };
  }

  it('publishes every row and every dead letter once, as their schemas say, with the image key', async () => {
    const { pool, topic, run, published, send, state, results } = await setUpResults([
      ...keys(39),
      'red circle/90/5/novelty 1.5',
    ]);
    await useBins(pool, 'p', parseRules('bins: {left: ["red *"]}'), 'a.yaml');
    state.storeFault = (key) => (key.startsWith('gone') ? fault('not_found') : null);
    const [traceparent, belt] = ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', 'belt 7 é'];
    const headers = { [header.traceparent]: traceparent, [header.belt]: belt };
    const secret = Buffer.from('secret bytes\0\xff', 'latin1');
    await send([
      { key: null, value: Buffer.from('gone/1'), headers: { ...headers, 'visionscale-request-id': 'lost' } },
      { key: Buffer.from('k'), value: secret, headers: { 'x-custom': 'secret header' } },
      {
        key: null,
        value: Buffer.from('blue/90/5'),
        headers: { ...headers, [header.capturedAt]: '2026-01-02T03:04:05.678+01:00' },
      },
    ]);
    await run({ notFoundGraceMs: 0 });

    const messages = await published('results');
    for (const { value } of messages) expect(isResult(value), ajv.errorsText(isResult.errors)).toBe(true);
    const { rows } = await pool.query<Record<string, unknown>>(
      `select request_id as id, image_key as "imageKey", category, confidence, top, novelty, bin, bin_reason as "binReason",
         bin_version as "binVersion", json_build_object('name', model, 'version', model_version, 'digest', model_digest) as model,
         round(latency_ms::numeric, 3)::float8 as "latencyMs", captured_at as "capturedAt", time as "processedAt", belt,
         hostname, pipeline, traceparent from prediction_results p order by p.id`,
    );
    expect(rows).toHaveLength(41);
    const iso = (time: unknown) => (time as Date | null)?.toISOString() ?? null;
    expect(messages.map(({ value }) => value)).toEqual(
      rows.map((row) => ({
        ...row,
        capturedAt: iso(row['capturedAt']),
        processedAt: iso(row['processedAt']),
      })),
    );
    expect(messages.at(-2)!.value).toMatchObject({ novelty: 1.5, bin: 'manual', binReason: 'unknown' });
    expect(messages.at(-1)!.value).toMatchObject({
      novelty: null,
      belt,
      traceparent,
      capturedAt: '2026-01-02T02:04:05.678Z',
      binReason: 'unmapped',
    });
    for (const { record, value } of messages) {
      expect(record.key?.toString()).toBe((value as Result).imageKey);
      expect(record.headers[header.requestId]).toBe((value as Result).id);
    }

    const dead = await published('dead');
    for (const { value } of dead) expect(isDead(value), ajv.errorsText(isDead.errors)).toBe(true);
    expect(dead.map(({ value }) => value)).toMatchObject([
      { id: 'lost', imageKey: 'gone/1', stage: 'fetch', code: 'not_found', belt, traceparent, offset: 40 },
      { imageKey: null, stage: 'read', offset: 41, topic: topic.name, partition: 0 },
    ]);
    expect(dead.map(({ record }) => record.key?.toString() ?? null)).toEqual(['gone/1', null]);
    const everything = dead.map(({ record }) =>
      JSON.stringify([record.value!.toString('latin1'), record.headers]),
    );
    expect(everything.join()).not.toContain('secret');
    expect(await readBacklog(pool, 'p', topic.name)).toEqual({
      results: 0,
      deadLetters: 0,
      oldestSeconds: null,
    });

    // Everything once more: nothing is new.
    await pool.query('update positions set next_offset = 0, last_offset = null');
    await run({ notFoundGraceMs: 0 });
    expect(await published('results')).toHaveLength(41);
    expect(await published('dead')).toHaveLength(2);
    expect(await results.look()).toMatchObject([{ partitions: 1 }, { partitions: 1 }]);
  });

  it('publishes what a killed owner has left, before its own, in its order', async () => {
    const { pool, topic, run, published, stop, send } = await setUpResults(keys(30));
    const gone = new ResultTopics(topic, () => new Promise<Topic>(() => undefined));
    // Recorded, and ended before anything was published.
    const running = run({ untilDrained: false }, gone);
    while ((await backlogOf(pool, topic)) < 30);
    stop.abort();
    await running;
    expect(await published('results')).toEqual([]);
    expect(await backlogOf(pool, topic)).toBe(30);

    const more = Array.from({ length: 10 }, (_, n) => `blue star/90/5/${n}.png`);
    await send(more.map((key) => ({ key: null, value: Buffer.from(key), headers: {} })));
    await run({ signal: new AbortController().signal });
    const found = (await published('results')).map(({ value }) => (value as Result).imageKey);
    expect(found).toEqual([...keys(30), ...more]);
    expect(await backlogOf(pool, topic)).toBe(0);
  }, 30_000);

  it('records on while nothing can be published, says so, and publishes it all later', async () => {
    const { pool, topic, open, run, published, events, seen, stop } = await setUpResults(keys(50));
    let away = true;
    const topics = new ResultTopics(topic, (name) =>
      away ? Promise.reject(new TopicError('no broker', { code: 'broker_unavailable' })) : open(name),
    );
    onTestFinished(() => topics[Symbol.asyncDispose]());
    const running = run({ untilDrained: false }, topics);
    while ((await backlogOf(pool, topic)) < 50);
    await seen((event) => event.kind === 'not published');
    expect(await readBacklog(pool, 'p', topic.name)).toMatchObject({ results: 50, deadLetters: 0 });
    away = false;
    await seen((event) => event.kind === 'publishing again');
    while ((await backlogOf(pool, topic)) > 0);
    stop.abort();
    await running;
    expect((await published('results')).map(({ value }) => (value as Result).imageKey)).toEqual(keys(50));
    const told = events.filter((event) => event.kind === 'not published');
    expect(told).toEqual([{ kind: 'not published', partition: 0, what: 'result', reason: 'no broker' }]);
  }, 30_000);

  it('goes on where a send was acknowledged and the row still there: the message comes once more', async () => {
    const { pool, topic, run, published, results } = await setUpResults(keys(5));
    const producer = await results.producer('result');
    const send = producer.send.bind(producer);
    let failures = 2;
    producer.send = async (records) => {
      const placements = await send(records);
      if (failures-- > 0) throw new TopicError('lost', { code: 'broker_unavailable', retryable: true });
      return placements;
    };
    await run();
    const ids = (await published('results')).map(({ value }) => (value as Result).id);
    expect(new Set(ids).size).toBe(5);
    expect(ids.length).toBeGreaterThan(5);
    expect(await backlogOf(pool, topic)).toBe(0);
  });

  it('keeps, tells and counts a message that no topic takes, and is not held up by it', async () => {
    const { pool, topic, run, published, events } = await setUpResults(keys(3));
    await run();
    await pool.query(
      `insert into outbox (pipeline, topic, partition, kind, record_key, payload)
       select 'p', $1, 0, 'result', 'k' || n, jsonb_build_object('id', n::text, 'traceparent', null,
         'x', case when n = 2 then repeat('x', 2000000) end) from generate_series(1, 3) as n`,
      [topic.name],
    );
    await run();
    const ids = (await published('results')).map(({ value }) => (value as Result).id);
    expect(ids.slice(3)).toEqual(['1', '3']);
    expect(await backlogOf(pool, topic)).toBe(0);
    const refusals = () => events.filter((event) => event.kind === 'not published');
    const refusal = { kind: 'not published', partition: 0, what: 'result', refused: 1 };
    expect(refusals()).toEqual([{ ...refusal, reason: expect.stringContaining('2000') as string }]);
    expect(events.filter((event) => event.kind === 'publishing again')).toEqual([]);
    const found = await status(pool, topic.name, topic, 'p');
    expect(found).toMatchObject({
      unpublished: { results: 0, deadLetters: 0, oldestSeconds: null },
      refused: { results: 1, deadLetters: 0, reason: expect.stringContaining('bytes') as string },
    });
    expect(await oldestInOutbox(pool, 'p', topic.name)).toBeNull();
    expect((await pool.query('select record_key from outbox')).rows).toEqual([{ record_key: 'k2' }]);

    // Its next owner tries again: it is told once more, and taken when it can be.
    await run();
    expect(refusals()).toHaveLength(2);
    await pool.query(`update outbox set payload = payload - 'x'`);
    await run();
    expect((await published('results')).map(({ value }) => (value as Result).id).slice(5)).toEqual(['2']);
    expect((await pool.query('select from outbox')).rowCount).toBe(0);
  });
}

describe('results, embedded', () => suite(null));
describeWith('Kafka', 'results, in Kafka', (brokers) =>
  suite((name) => openKafkaTopic({ brokers, name, properties: {} })),
);

describe('a results topic that is embedded', () => {
  const setUpTopic = async (expireUnread: boolean) => {
    const { pool, topic: images } = await setUp(['a', 'b', 'c']);
    const { name } = images;
    const topic = await openEmbeddedTopic({ pool, name, expireUnread, retentionMs: 0 });
    onTestFinished(() => topic[Symbol.asyncDispose]());
    await pool.query('update topic_records set timestamp_ms = timestamp_ms - 1000');
    return topic;
  };

  it('goes by its retention alone while nobody reads it, and keeps what a reader has not read', async () => {
    const topic = await setUpTopic(true);
    await using reader = await topic.reader({ partition: 0, from: 1, group: 'robot' });
    await reader.commit(0, 1);
    await topic.applyRetention();
    expect(await topic.bounds(0)).toEqual({ first: 1, end: 3 });
    const unread = await setUpTopic(true);
    await unread.applyRetention();
    expect(await unread.bounds(0)).toEqual({ first: 3, end: 3 });
  });

  it('is no other topic: what nobody has read of the images stays', async () => {
    const topic = await setUpTopic(false);
    await topic.applyRetention();
    expect(await topic.bounds(0)).toEqual({ first: 0, end: 3 });
  });
});

describe('sorting', () => {
  const rowsOf = async (pool: Pool) =>
    (
      await pool.query<{
        key: string;
        novelty: number | null;
        bin: string;
        reason: string;
        version: number | null;
        latency: number;
      }>(
        `select image_key as key, novelty, bin, bin_reason as reason, bin_version as version, latency_ms as latency
         from prediction_results order by id`,
      )
    ).rows;

  it('names bin, reason and version in each row, from one message to the next', async () => {
    const { pool, run, events } = await setUp([
      'red circle/90/5',
      'red circle/90/85',
      'red circle/40/1',
      'x/99/1',
    ]);
    const text = 'defaults: {confidence: 50, margin: 10}\nbins: {left: ["red *"]}';
    expect(await useBins(pool, 'p', parseRules(text), 'a.yaml')).toEqual({
      version: 1,
      created: true,
      former: null,
    });
    await run({}, { models });
    expect((await rowsOf(pool)).map(({ bin, reason, version }) => [bin, reason, version])).toEqual([
      ['left', 'mapped', 1],
      ['manual', 'low_margin', 1],
      ['manual', 'low_confidence', 1],
      ['manual', 'unmapped', 1],
    ]);
    const other = parseRules('bins: {right: ["*"]}');
    expect(await useBins(pool, 'p', other, 'b.yaml')).toEqual({ version: 2, created: true, former: 1 });
    // The same rules again are the same version, whatever their file looks like.
    expect(await useBins(pool, 'p', parseRules(`${text} # again`), 'c.yaml')).toEqual({
      version: 1,
      created: false,
      former: 2,
    });
    expect(await useBins(pool, 'p', other, 'b.yaml')).toEqual({ version: 2, created: false, former: 1 });
    await pool.query('update positions set next_offset = 0, last_offset = null');
    await pool.query('delete from prediction_results');
    await run({}, { models });
    expect(new Set((await rowsOf(pool)).map(({ bin, version }) => `${bin} ${version}`))).toEqual(
      new Set(['right 2']),
    );
    const versions = events.filter(
      (event): event is ConsumeEvent & { kind: 'bins' } => event.kind === 'bins',
    );
    expect(versions.map(({ version }) => version)).toEqual([1, 2]);
    // Nothing is published where nobody asked for it.
    expect((await pool.query('select from outbox')).rowCount).toBe(0);
  });

  it('puts unknown objects into their bin, however sure the model is, and what is late into the manual one', async () => {
    const sent = [
      'x/99/1/novelty 1',
      'red circle/99/1/novelty 12.5',
      'red circle/99/1/novelty 0.99',
      'y/99/1',
    ];
    const { pool, run } = await setUp(sent);
    await useBins(pool, 'p', parseRules('manual: m\nunknown: foreign\nbins: {left: ["red *"]}'), 'a.yaml');
    await run({}, { models });
    const found = async () => (await rowsOf(pool)).map(({ bin, reason, novelty }) => [bin, reason, novelty]);
    expect(await found()).toEqual([
      ['foreign', 'unknown', 1],
      ['foreign', 'unknown', 12.5],
      ['left', 'mapped', 0.99],
      ['m', 'unmapped', null],
    ]);
    const unknown = { pipeline: 'p', limit: 10, unknown: true };
    expect((await latestResults(pool, unknown)).map(({ imageKey }) => imageKey)).toEqual([sent[1], sent[0]]);
    expect((await unsurePredictions(pool, unknown)).map(({ imageKey }) => imageKey)).toEqual([
      sent[1],
      sent[0],
    ]);
    const page = async (filter: object) =>
      (await readResultPage(pool, 'p', filter, { before: null, limit: 10 })).results.map(
        ({ imageKey }) => imageKey,
      );
    expect(await page({ unknown: true })).toEqual([sent[1], sent[0]]);
    expect(await page({ unknown: false })).toEqual([sent[3], sent[2]]);
    await pool.query('update positions set next_offset = 0, last_offset = null');
    await pool.query('delete from prediction_results');
    await run({ deadlineMs: 0 }, { models });
    expect(new Set((await found()).map(([bin, reason]) => `${bin} ${reason}`))).toEqual(
      new Set(['m missed_deadline']),
    );
  });

  it('holds messages while rules that a later version has stored cannot be read', async () => {
    const { pool, run, seen, stop } = await setUp(['red circle/90/5']);
    await useBins(pool, 'p', parseRules('bins: {left: ["*"]}'), 'a.yaml');
    await pool.query(`update bin_versions set rules = rules || '{"unheard_of": 1}'`);
    const running = run({ untilDrained: false }, { models });
    await seen((event) => JSON.stringify(event).includes('cannot be read by this visionscale'));
    expect(await rowsOf(pool)).toEqual([]);
    stop.abort();
    await running;
  });

  it('puts what is later than its deadline into the manual bin, by the latency of its row', async () => {
    const { pool, topic, run } = await setUp([]);
    await using producer = await topic.producer();
    const ages = [0, 10_000, 400, 3_600_000, 100];
    const at = (age: number, n: number) => ({
      key: null,
      value: Buffer.from(`red circle/90/5/${n}`),
      headers: { [header.capturedAt]: `${Date.now() - age}` },
    });
    await producer.send(ages.map(at));
    await producer.send([{ key: null, value: Buffer.from('red circle/90/5/5'), headers: {} }]);
    // Without rules in force a deadline still counts: nobody may take a late result for a good one.
    await run({ deadlineMs: 5000 }, { models });
    const before = await rowsOf(pool);
    expect(before.map(({ bin, version }) => [bin, version])).toEqual(
      [null, 'manual', null, 'manual', null, null].map((bin) => [bin, null]),
    );
    await useBins(pool, 'p', parseRules('manual: by hand\nbins: {left: ["red *"]}'), 'a.yaml');
    await producer.send([...ages.map(at), { key: null, value: Buffer.from('nobody/90/5'), headers: {} }]);
    await run({ deadlineMs: 5000 }, { models });
    const after = (await rowsOf(pool)).slice(6);
    expect(after.map(({ reason }) => reason)).toEqual([
      'mapped',
      'missed_deadline',
      'mapped',
      'missed_deadline',
      'mapped',
      'unmapped',
    ]);
    for (const { bin, reason, latency, version } of after) {
      expect([reason === 'missed_deadline', version]).toEqual([latency > 5000, 1]);
      expect(bin).toBe(reason === 'mapped' ? 'left' : 'by hand');
    }
  });

  it('takes no image for late, and none for in time, by a capture time that cannot be right', async () => {
    const { pool, topic, run } = await setUp([]);
    await using producer = await topic.producer();
    const hours = (n: number) => new Date(Date.now() + n * 3_600_000).toISOString();
    const captured = [
      'camera 5',
      '20261128',
      '2001-05-01T00:00:00Z',
      '2026-02-30',
      hours(-48),
      hours(48),
      hours(48),
    ];
    await producer.send(
      captured.map((at, n) => ({
        key: null,
        value: Buffer.from(`red circle/90/5/${n}`),
        headers: { [header.capturedAt]: at },
      })),
    );
    // The last one is late by its message, whatever its camera thinks.
    await pool.query('update topic_records set timestamp_ms = timestamp_ms - 3600000 where "offset" = $1', [
      captured.length - 1,
    ]);
    await run({ deadlineMs: 600_000 }, { models });
    expect((await rowsOf(pool)).map(({ bin }) => bin)).toEqual([
      ...captured.slice(1).map(() => null),
      'manual',
    ]);
    const { rows } = await pool.query<{ at: Date | null }>(
      'select captured_at as at from prediction_results order by id',
    );
    expect(rows.map(({ at }) => at?.toISOString() ?? null)).toEqual([
      ...[null, null, '2001-05-01T00:00:00.000Z', null],
      ...captured.slice(4),
    ]);
  });

  it('publishes a retry that succeeds as a result, and one that fails again not at all', async () => {
    const { pool, topic, run, state } = await setUp(['gone/90/5']);
    const results = new ResultTopics(topic, (name) => openEmbeddedTopic({ pool, name }));
    onTestFinished(() => results[Symbol.asyncDispose]());
    const published = async () => {
      const { rows } = await pool.query<{ topic: string }>(
        'select topic from topic_records where topic <> $1',
        [topic.name],
      );
      return rows.map((row) => row.topic.slice(topic.name.length + 1)).sort();
    };
    const retryOnce = async (attempts: number) => {
      const { rows } = await pool.query<{ id: string }>('select request_id as id from dead_letters');
      const headers = { [header.requestId]: rows[0]!.id, [header.retry]: `${attempts}` };
      await using producer = await topic.producer();
      await producer.send([{ key: null, value: Buffer.from('gone/90/5'), headers }]);
      await run({ notFoundGraceMs: 0 }, { models, results });
    };
    state.storeFault = () => fault('not_found');
    await run({ notFoundGraceMs: 0 }, { models, results });
    expect(await published()).toEqual(['dead']);
    await retryOnce(1);
    expect(await published()).toEqual(['dead']);
    state.storeFault = () => null;
    await retryOnce(2);
    expect(await published()).toEqual(['dead', 'results']);
    expect((await pool.query('select from dead_letters where state = $1', ['resolved'])).rowCount).toBe(1);
  });

  it('waits, and says so, where the rules in force cannot be read', async () => {
    const { pool, run, seen, stop } = await setUp(keys(1));
    await useBins(pool, 'p', parseRules('bins: {left: ["*"]}'), 'a.yaml');
    await pool.query(`update bin_versions set rules = '{"of": "a later visionscale"}'`);
    const running = run({ untilDrained: false }, { models });
    await seen((event) => event.kind === 'waiting' && /version 1 of the bins/.test(event.reason));
    await pool.query(`update bin_versions set rules = '{"manual": "m", "bins": []}'`);
    await seen((event) => event.kind === 'recorded');
    stop.abort();
    await running;
    expect((await rowsOf(pool)).map(({ bin, reason }) => [bin, reason])).toEqual([['m', 'unmapped']]);
  });

  it('gives two who put rules in force at once two versions', async () => {
    const { pool } = await setUp([]);
    const used = await Promise.all(
      ['a', 'b', 'c', 'a', 'b', 'c'].map((bin) =>
        useBins(pool, 'p', parseRules(`bins: {${bin}: [x]}`), `${bin}.yaml`),
      ),
    );
    expect(new Set(used.map(({ version }) => version))).toEqual(new Set([1, 2, 3]));
    expect(used.filter(({ created }) => created)).toHaveLength(3);
  });
});

const backlogOf = async (pool: Pool, topic: Topic) => {
  const { results, deadLetters } = await readBacklog(pool, 'p', topic.name);
  return results + deadLetters;
};

async function readAll(topic: Topic): Promise<TopicRecord[]> {
  const records: TopicRecord[] = [];
  const { first, end } = await topic.bounds(0);
  if (end === first) return records;
  await using reader = await topic.reader({ partition: 0, from: first, group: 'robot' });
  for await (const record of reader.records(new AbortController().signal)) {
    records.push(record);
    if (record.offset + 1 >= end) break;
  }
  return records;
}

function parsed({ value }: TopicRecord): unknown {
  return JSON.parse(value!.toString());
}
