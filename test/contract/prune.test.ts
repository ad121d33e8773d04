/** `prune`: what is old and answered goes, with its object; what a message, a person or training may still need stays. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { plannedPrune, prune } from '../../src/lib/pipeline/prune.ts';
import { openFileStore } from '../../src/lib/systems/objects/file/file.ts';
import type { ObjectStore } from '../../src/lib/systems/objects/store.ts';
import type { Topic } from '../../src/lib/systems/topic/topic.ts';
import { ensureBuilt } from '../support/build.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

let database: TestDatabase;
let directory: string;
let store: ObjectStore;
/** Messages before offset 100 of its one partition have left it. */
const topic = {
  name: 'images',
  partitions: () => Promise.resolve(1),
  bounds: () => Promise.resolve({ first: 100, end: 200 }),
} as unknown as Topic;
const pipeline = 'p';
const digest = `sha256:${'0'.repeat(64)}`;

beforeEach(async () => {
  await ensureBuilt();
  database = await testDatabase();
  directory = await mkdtemp(join(tmpdir(), 'visionscale-prune-'));
  store = openFileStore(directory);
  await database.pool.query(
    `insert into positions (pipeline, topic, partition, next_offset) values ($1, 'images', 0, 150)`,
    [pipeline],
  );
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

async function put(key: string): Promise<void> {
  await store.put(key, Buffer.from('image'), { contentType: 'image/jpeg' });
}

/** Uploaded and produced two days ago unless told otherwise. */
async function image(key: string, { round = 1, age = '2 days' } = {}): Promise<void> {
  await put(key);
  await database.pool.query(
    `insert into image_info (image_key, bytes, uploaded_at, produced_at, round)
     values ($1, 5, now() - $2::interval, now() - $2::interval, $3)`,
    [key, age, round],
  );
}

async function result(key: string, { id = `p:1:${key}`, offset = 10, age = '2 days' } = {}): Promise<void> {
  await database.pool.query(
    `insert into prediction_results (image_key, category, confidence, hostname, time, pipeline, request_id, topic, partition,
       "offset", model, model_version, model_digest, top, stages)
     values ($1, 'cat', 90, 'h', now() - $2::interval, $3, $4, 'images', 0, $5, 'm', '1', $6, '[]', '{}')`,
    [key, age, pipeline, id, offset, digest],
  );
}

async function letter(key: string, state: string, id = `p:1:${key}`): Promise<void> {
  await database.pool.query(
    `insert into dead_letters (pipeline, request_id, image_key, topic, partition, "offset", headers, stage, code, message,
       hostname, state, first_at, last_at)
     values ($1, $2, $3, 'images', 0, 10, '{}', 'fetch', 'not_found', 'x', 'h', $4, now() - interval '2 days', now() - interval '2 days')`,
    [pipeline, id, key, state],
  );
}

async function correction(key: string): Promise<void> {
  await database.pool.query(
    `insert into corrections (pipeline, image_key, label, corrected_by) values ($1, $2, 'dog', 'me')`,
    [pipeline, key],
  );
}

const keys = async (table: string) => {
  const { rows } = await database.pool.query<{ key: string }>(
    `select image_key as key from ${table} order by 1`,
  );
  return rows.map(({ key }) => key);
};
const objects = async () => {
  const found: string[] = [];
  for await (const { key } of store.list()) found.push(key);
  return found.toSorted();
};

async function pruned(ageMs = 86_400_000) {
  const deps = { pool: database.pool, topic, store };
  const { scope, prunable, kept } = await plannedPrune(deps, pipeline, ageMs);
  const { signal } = new AbortController();
  const deleted = await prune(deps, { scope, signal, report: () => undefined });
  expect(deleted).toEqual(prunable);
  return { ...deleted, ...kept };
}

it('deletes an old image with its object and its results, and nothing that is needed', async () => {
  await image('old');
  await result('old');
  await image('dropped');
  await letter('dropped', 'dropped');
  await image('in the topic');
  await result('in the topic', { offset: 100 });
  await image('unanswered');
  await image('open');
  await letter('open', 'open');
  await image('corrected');
  await result('corrected');
  await correction('corrected');
  await image('asked again', { round: 2 });
  await result('asked again');
  await image('young', { age: '1 hour' });
  await result('young', { age: '1 hour' });
  await database.pool.query('insert into image_info (image_key) values ($1)', ['to produce']);

  // The first round of what was asked again is a result of no image in its present round.
  const why = { inTopic: 1, unanswered: 2, corrected: 1, openDeadLetters: 1 };
  expect(await pruned()).toEqual({ images: 2, bytes: 10, results: 1, deadLetters: 0, ...why });
  const kept = ['asked again', 'corrected', 'in the topic', 'open', 'unanswered', 'young'];
  expect(await objects()).toEqual(kept);
  expect(await keys('image_info')).toEqual([...kept, 'to produce'].toSorted());
  expect(await keys('prediction_results')).toEqual(['corrected', 'in the topic', 'young']);
  expect(await keys('dead_letters')).toEqual(['open']);
  expect(await pruned()).toMatchObject({ images: 0, results: 0, deadLetters: 0 });
});

it('deletes what came by HTTP with its object, and leaves the objects of other tools alone', async () => {
  const id = '12345678-1234-1234-1234-123456789012';
  await put(`http/2026-01-01/${id}/a.jpg`);
  await put('bucket.jpg');
  await put('http/2026-01-01/other/a.jpg');
  await result(`http/2026-01-01/${id}/a.jpg`, { id: `h:${id}` });
  await result('bucket.jpg', { id: 's3:bucket/bucket.jpg/1' });
  await result('http/2026-01-01/other/a.jpg', { id: `h:${id.replace('1', '2')}` });
  await letter('gone.jpg', 'resolved', 'mine');
  await letter('waiting.jpg', 'open', 'yours');
  await database.pool.query(
    `insert into ingested (pipeline, request_id, image_key, sha256, bytes, content_type) values ($1, $2, 'k', 's', 1, 'image/jpeg')`,
    [pipeline, `h:${id}`],
  );
  expect(await pruned()).toMatchObject({ images: 0, results: 3, deadLetters: 1, openDeadLetters: 1 });
  expect(await objects()).toEqual(['bucket.jpg', 'http/2026-01-01/other/a.jpg']);
  expect(await keys('prediction_results')).toEqual([]);
  expect(await keys('dead_letters')).toEqual(['waiting.jpg']);
  expect(await keys('ingested')).toEqual([]);
});

it('keeps an image that another pipeline has still to answer', async () => {
  await image('shared');
  await result('shared');
  await database.pool.query(
    `insert into positions (pipeline, topic, partition, next_offset) values ('other', 'images', 0, 150)`,
  );
  expect(await pruned()).toMatchObject({ images: 0, results: 0 });
  expect(await objects()).toEqual(['shared']);
});

it('goes on behind a store that was away', async () => {
  for (let n = 0; n < 250; n++) {
    await image(`belt/${n}`);
    await result(`belt/${n}`);
  }
  const deps = { pool: database.pool, topic, store };
  const { scope } = await plannedPrune(deps, pipeline, 86_400_000);
  let removals = 0;
  const away: ObjectStore = Object.create(store, {
    remove: {
      value: (key: string) => (++removals > 150 ? Promise.reject(new Error('away')) : store.remove(key)),
    },
  }) as ObjectStore;
  const { signal } = new AbortController();
  const attempt = prune({ ...deps, store: away }, { scope, signal, report: () => undefined });
  await expect(attempt).rejects.toThrow('away');
  expect(await keys('image_info')).toHaveLength(150);
  expect(await keys('prediction_results')).toHaveLength(150);
  expect((await pruned()).images).toBe(150);
  expect(await objects()).toEqual([]);
});
