/** The HTTP server on a real database, the topic in it and a directory as store, with what a test looks at afterwards. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool, PoolClient } from 'pg';
import type { HttpSettings } from '../../src/lib/config/http.ts';
import { openImagesApart } from '../../src/lib/models/images/apart.ts';
import { answersInUse } from '../../src/lib/models/store/model-answers.ts';
import { readModelsInUse } from '../../src/lib/models/store/pipeline-model.ts';
import { type OpenApp, openApp } from '../../src/lib/pipeline/serve/app.ts';
import type { ServeDeps, ServeEvent, ServeOptions } from '../../src/lib/pipeline/serve/context.ts';
import { openFileStore } from '../../src/lib/systems/objects/file/file.ts';
import type { ObjectStore } from '../../src/lib/systems/objects/store.ts';
import { openEmbeddedTopic } from '../../src/lib/systems/topic/embedded/topic.ts';
import type { Producer } from '../../src/lib/systems/topic/topic.ts';
import { testDatabase } from './database.ts';

export interface Served extends AsyncDisposable {
  pool: Pool;
  store: ObjectStore;
  producer: Producer;
  /** Of the store. */
  dir: string;
  events: ServeEvent[];
  /** A server of its own settings beside the others; closed with the rest. */
  open(
    http?: Partial<HttpSettings>,
    deps?: Partial<ServeDeps>,
    maxBytes?: number,
    options?: Partial<ServeOptions>,
  ): Promise<Opened>;
  /** What is in the topic, oldest first. */
  messages(): Promise<{ key: Buffer; value: Buffer; headers: Record<string, string> }[]>;
  /** A consumer's row for a request. */
  predict(id: string, more?: Partial<Row>, on?: Pool | PoolClient): Promise<void>;
  /** A consumer's dead letter for a request. */
  bury(id: string, code: string): Promise<void>;
  /** Every file below the store's parent directory. */
  files(): Promise<string[]>;
}

export interface Opened extends OpenApp {
  url: string;
}

export interface Row {
  imageKey: string;
  category: string;
  confidence: number;
  novelty: number | null;
  bin: string | null;
  belt: string | null;
}

export const pipeline = 'served';

const defaults: HttpSettings = {
  host: '127.0.0.1',
  port: 0,
  tls: null,
  tokens: [],
  corsOrigins: [],
  rateLimit: 0,
  ingest: 'store',
  maxInlineBytes: 900_000,
  maxInFlight: 64,
  drainDelayMs: 0,
};

export async function served(): Promise<Served> {
  const database = await testDatabase();
  const { pool } = database;
  const root = await mkdtemp(join(tmpdir(), 'visionscale served '));
  const dir = join(root, 'store');
  const store = openFileStore(dir);
  await store.create();
  const topic = await openEmbeddedTopic({ pool, name: 'images' });
  await topic.create(3);
  const producer = await topic.producer();
  const looking = openImagesApart({ maxBytes: 64e6, maxPixels: 1e6 });
  const events: ServeEvent[] = [];
  const opened: Opened[] = [];
  return {
    pool,
    store,
    producer,
    dir,
    events,
    async open(http = {}, deps = {}, maxBytes = 2_000_000, options = {}) {
      const app = await openApp(
        {
          pool,
          topic,
          producer,
          store,
          looking,
          answers: async () => answersInUse(await readModelsInUse(pool, pipeline)),
          report: (event) => void events.push(event),
          ...deps,
        },
        {
          http: { ...defaults, ...http },
          pipeline,
          limits: { maxBytes, maxPixels: 1e6 },
          imageMemoryBytes: 8_000_000,
          version: '1.2.3',
          signal: new AbortController().signal,
          ...options,
        },
      );
      await app.app.listen({ host: '127.0.0.1', port: 0 });
      const { port } = app.app.server.address() as AddressInfo;
      const one = { ...app, url: `http://127.0.0.1:${port}` };
      opened.push(one);
      return one;
    },
    async messages() {
      const { rows } = await pool.query<{ key: Buffer; value: Buffer; headers: Record<string, string> }>(
        'select key, value, headers from topic_records order by timestamp_ms, partition, "offset"',
      );
      return rows;
    },
    async predict(
      id,
      { imageKey = 'k', category = 'cat', confidence = 90, novelty = null, bin = null, belt = null } = {},
      on = pool,
    ) {
      await on.query(
        `insert into prediction_results (image_key, category, confidence, hostname, pipeline, request_id, topic, partition,
           "offset", model, model_version, model_digest, top, stages, novelty, bin, belt, latency_ms)
         values ($9, $3, $4, 'h', $1, $2, 'images', 0, 0, 'm', '1', 'sha256:0', $5, '{}', $6, $7, $8, 12.5)`,
        [
          pipeline,
          id,
          category,
          confidence,
          JSON.stringify([{ category, confidence }]),
          novelty,
          bin,
          belt,
          imageKey,
        ],
      );
    },
    async bury(id, code) {
      await pool.query(
        `insert into dead_letters (pipeline, request_id, image_key, topic, partition, "offset", headers, stage, code,
           message, hostname) values ($1, $2, 'k', 'images', 0, 0, '{}', 'classify', $3, 'it is broken', 'h')`,
        [pipeline, id, code],
      );
    },
    async files() {
      return (await readdir(root, { recursive: true })).toSorted();
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map((one) => one.close()));
      await producer[Symbol.asyncDispose]();
      await looking[Symbol.asyncDispose]();
      await topic[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
      await rm(root, { recursive: true, force: true });
    },
  };
}
