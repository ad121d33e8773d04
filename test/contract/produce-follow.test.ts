/** `produce --follow` on a real database and topic: rows flow as they are inserted, by the bell or by polling. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { TopicError } from '../../src/lib/base/errors.ts';
import { produce, type ProduceEvent, type ProduceOptions } from '../../src/lib/pipeline/produce.ts';
import { noteIngested } from '../../src/lib/systems/database/tables/ingested.ts';
import { openFileStore } from '../../src/lib/systems/objects/file/file.ts';
import { openEmbeddedTopic } from '../../src/lib/systems/topic/embedded/topic.ts';
import type { Producer, Topic } from '../../src/lib/systems/topic/topic.ts';
import { testDatabase } from '../support/database.ts';

async function setUp(wrap: (topic: Topic) => Topic = (topic) => topic) {
  const database = await testDatabase();
  const { pool } = database;
  const topic = await openEmbeddedTopic({ pool, name: 'images', pollMs: 50 });
  const end = new AbortController();
  const events: ProduceEvent[] = [];
  const looks = new Set<() => void>();
  const report = (event: ProduceEvent) => {
    events.push(event);
    for (const look of looks) look();
  };
  const until = (fulfilled: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => fulfilled() && resolve();
      looks.add(look);
      look();
    });
  let running: Promise<unknown> | undefined;
  const start = (options: Partial<ProduceOptions> = {}) => {
    const result = produce(
      { pool, topic: wrap(topic), report },
      { again: false, partitions: 1, follow: true, signal: end.signal, ...options },
    );
    running = result;
    return result;
  };
  onTestFinished(async () => {
    end.abort();
    await running;
    await topic[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });
  const insert = (...keys: string[]) =>
    pool.query('insert into image_info (image_key) select * from unnest($1::text[])', [keys]);
  const produced = () =>
    events.reduce((sum, event) => sum + (event.kind === 'produced' ? event.images : 0), 0);
  const following = () => events.filter(({ kind }) => kind === 'following').length;
  return { pool, topic, events, until, start, end, insert, produced, following };
}

it('sends keys as their rows are inserted, at once, until it is told to stop', async () => {
  const { pool, start, end, insert, until, produced, following, topic } = await setUp();
  await insert('a', 'b');
  const running = start();
  await until(() => following() === 1);
  expect(produced()).toBe(2);
  const began = performance.now();
  for (let n = 0; n < 10; n++) {
    await insert(`x${n}`);
    await until(() => produced() === 3 + n);
  }
  // Ten in turn by polling alone would take ten seconds.
  expect(performance.now() - began).toBeLessThan(6000);
  end.abort();
  expect(await running).toMatchObject({ produced: 12, left: 0, partitions: [12] });
  expect((await topic.bounds(0)).end).toBe(12);
  expect((await pool.query('select from image_info where produced_at is null')).rowCount).toBe(0);
});

it('finds by itself what nobody rings for, and what another round asks for', async () => {
  const { pool, start, insert, until, produced, following, topic } = await setUp();
  await insert('a');
  void start();
  await until(() => following() === 1);
  await pool.query('update image_info set produced_at = null');
  await until(() => produced() === 2);
  await pool.query('update image_info set round = round + 1, produced_at = null');
  await until(() => produced() === 3);
  expect((await topic.bounds(0)).end).toBe(3);
});

it('goes on when the bell’s connection was cut', async () => {
  const { pool, start, insert, until, produced, following } = await setUp();
  void start();
  await until(() => following() === 1);
  const cut = () =>
    pool.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen visionscale_images%'",
    );
  while ((await cut()).rowCount === 0) await sleep(20);
  await insert('a');
  await until(() => produced() === 1);
});

it('waits for a topic that is away, says when it goes on, and stops in good order meanwhile', async () => {
  let away = false;
  const { start, end, insert, until, produced, following, events } = await setUp((topic) => {
    const producer = async (): Promise<Producer> => {
      const real = await topic.producer();
      const send: Producer['send'] = (records) =>
        away
          ? Promise.reject(new TopicError('away', { code: 'broker_unavailable', retryable: true }))
          : real.send(records);
      return { send, [Symbol.asyncDispose]: () => real[Symbol.asyncDispose]() };
    };
    const create = (partitions: number) => topic.create(partitions);
    return { name: topic.name, create, producer } as unknown as Topic;
  });
  const running = start();
  await until(() => following() === 1);
  away = true;
  await insert('a');
  await until(() => events.some(({ kind }) => kind === 'waiting'));
  away = false;
  await until(() => produced() === 1);
  await until(() => following() === 2);
  away = true;
  await insert('b');
  await until(() => events.filter(({ kind }) => kind === 'waiting').length > 1);
  end.abort();
  expect(await running).toMatchObject({ produced: 1 });
});

it('stops at its limit', async () => {
  const { start, insert, until, following } = await setUp();
  await insert('a', 'b');
  const running = start({ limit: 3 });
  await until(() => following() === 1);
  await insert('c', 'd');
  expect(await running).toMatchObject({ produced: 3, left: 1 });
});

it('sends again, with `missing`, what has no outcome: under the same ids, and what came by HTTP only from the store', async () => {
  const { pool, topic, start, insert, events } = await setUp();
  await insert('answered', 'a letter', 'lost', 'never sent');
  await pool.query(`update image_info set round = 3, produced_at = now() where image_key <> 'never sent'`);
  await pool.query(
    `insert into prediction_results (image_key, request_id, category, confidence, hostname, pipeline, topic, partition, "offset",
       model, model_version, model_digest, top, stages)
     values ('answered', 'p:3:answered', 'c', 1, 'h', 'default', 'images', 0, 0, 'm', '1', 'd', '[]', '{}'),
       ('lost', 'p:2:lost', 'c', 1, 'h', 'default', 'images', 0, 0, 'm', '1', 'd', '[]', '{}')`,
  );
  await pool.query(
    `insert into dead_letters (pipeline, request_id, image_key, topic, partition, "offset", headers, stage, code, message, hostname)
     values ('default', 'p:3:a letter', 'a letter', 'images', 0, 0, '{}', 'fetch', 'not_found', 'm', 'h')`,
  );
  const posted = {
    sha256: '',
    bytes: 1,
    contentType: 'image/png',
    belt: 'north',
    idempotencyKey: null,
    tokenName: null,
  };
  for (const name of ['stored', 'inline'])
    await noteIngested(pool, 'default', { ...posted, requestId: `h:${name}`, imageKey: `http/${name}` });
  const directory = await mkdtemp(join(tmpdir(), 'visionscale-missing-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  await using store = openFileStore(directory);
  await store.put('http/stored', Buffer.from('x'), { contentType: 'image/png' });

  await start({ follow: false, missing: { pipeline: 'default', store } });
  expect(events).toContainEqual({ kind: 'posted', sent: 1, gone: 1 });
  await using reader = await topic.reader({ partition: 0, from: 0, group: 'test' });
  const sent: Record<string, string> = {};
  for await (const { value, headers } of reader.records(AbortSignal.timeout(10_000))) {
    sent[headers['visionscale-request-id']!] = value!.toString();
    if (Object.keys(sent).length === (await topic.bounds(0)).end) break;
  }
  expect(sent).toEqual({ 'h:stored': 'http/stored', 'p:3:lost': 'lost', 'p:1:never sent': 'never sent' });
});
