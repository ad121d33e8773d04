/** An object store tells a topic of every object; `consume` reads that topic and nothing else: a put becomes a row. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { openTopic } from '../../src/lib/systems/topic/open.ts';
import type { Topic } from '../../src/lib/systems/topic/topic.ts';
import { Rig } from '../support/binary.ts';
import { describeWith, testData } from '../support/servers.ts';

const id = randomBytes(4).toString('hex');
const bucket = (name: string) => `visionscale-${name}-${id}`;
/** Names as people, cameras and other systems give them. */
const names = [
  (name: string) => name,
  (name: string) => `belt 1/${name}`,
  (name: string) => `a+b/${name}`,
  (name: string) => `100% ${name}`,
  (name: string) => `pct%41/${name}`,
  (name: string) => `größe/図 ${name}`,
];

interface Row {
  key: string;
  bucket: string | null;
  top: { category: string; confidence: number }[];
  latency: number;
}

describeWith('Kafka', 'a bucket’s events', (brokers) => {
  describeWith('PostgreSQL', 'on real servers', (postgres) => {
    describeWith('S3 events', 'from an S3 server', (startGateway) => {
      describeWith('test data', 'through consume', (root) =>
        suite({ brokers, postgres, startGateway, root }),
      );
    });
  });
});

interface Places {
  brokers: string;
  postgres: string;
  startGateway: string;
  root: string;
}

function suite({ brokers, postgres, startGateway, root }: Places): void {
  const { model, photographs, golden: goldenFile } = testData(root);
  let rig: Rig;
  let topic: Topic;
  let s3: S3Client;
  let database: Database;
  let events: Events;
  let golden: Record<string, { category: string }[]>;

  beforeAll(async () => {
    const name = `events.${id}`;
    topic = await openTopic({ kind: 'kafka', name, brokers, properties: {} });
    // It belongs to the other system: its partitions are as that wants them.
    await topic.create(2);
    events = new Events(topic, 2);
    const testEvent = events.next();
    const { stdout } = await promisify(execFile)('sh', ['-c', `${startGateway} "$1"`, 'sh', name]);
    const endpoint = stdout.trim();
    await testEvent;
    s3 = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true });
    for (const which of ['photos', 'side', 'third']) {
      await s3.send(new CreateBucketCommand({ Bucket: bucket(which) }));
    }
    const url = new URL(postgres);
    url.pathname = `/visionscale_events_${id}`;
    rig = await Rig.open({
      KAFKA_BROKERS: brokers,
      KAFKA_TOPIC: name,
      DATABASE_URL: url.href,
      VISIONSCALE_STORE: `s3://${bucket('photos')}/in`,
      S3_ENDPOINT: endpoint,
      VISIONSCALE_MODEL: model,
    });
    expect(await rig.json(['init'])).toMatchObject({ topic: { created: false, partitions: 2 } });
    database = await openDatabase(loadConfig(rig.env).database);
    golden = JSON.parse(await readFile(goldenFile, 'utf8')) as typeof golden;
  });

  afterAll(async () => {
    s3?.destroy();
    await events?.[Symbol.asyncDispose]();
    await topic?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
    await rig?.[Symbol.asyncDispose]();
  });

  /** versitygw 1.8 writes an event beside the next request, whose key may then stand in it: one at a time. */
  async function tell(act: () => Promise<unknown>): Promise<void> {
    const heard = events.next();
    await act();
    await heard;
  }
  const put = (where: string, Key: string, Body: Buffer) =>
    tell(() => s3.send(new PutObjectCommand({ Bucket: bucket(where), Key, Body })));
  const rows = async () =>
    (
      await database.pool.query<Row>(
        'select image_key as key, bucket, top, latency_ms as latency from prediction_results',
      )
    ).rows;
  const status = () =>
    rig.json<{ predictions: number; deadLetters: number; ignored: number }>(['status', '--exit-zero']);

  it(
    'makes rows of 200 images with the reference’s answers, whatever their names, and no other command',
    { timeout: 300_000 },
    async () => {
      const consumer = rig.start(['consume', '--group', '--buckets', bucket('side')]);
      await consumer.said(/consuming/);
      const sent = new Map<string, string>();
      for (const [n, name] of Object.keys(golden).entries()) {
        const key = names[n % names.length]!(name);
        sent.set(key, name);
        await put('photos', `in/${key}`, await readFile(join(photographs, name)));
      }
      const image = await readFile(join(photographs, Object.keys(golden)[0]!));
      await put('side', 'a+b %20.jpg', image);
      await put('third', 'a b.jpg', image);
      await put('photos', 'beside/in.jpg', image);
      await put('photos', 'in/new folder/', Buffer.alloc(0));
      const photo = `in/${[...sent.keys()][0]}`;
      const source = `${bucket('photos')}/${photo}`;
      await tell(() =>
        s3.send(new CopyObjectCommand({ Bucket: bucket('photos'), Key: 'in/copy.jpg', CopySource: source })),
      );
      await tell(() => s3.send(new DeleteObjectCommand({ Bucket: bucket('side'), Key: 'not there.jpg' })));

      // Everything is answered when the positions have come to the ends.
      const behind = async () =>
        events.heard -
        ((
          await database.pool.query<{ sum: number | null }>(
            'select sum(next_offset)::int8 as sum from positions',
          )
        ).rows[0]!.sum ?? 0);
      while ((await behind()) > 0) await new Promise((resolve) => setTimeout(resolve, 100));
      consumer.process.kill('SIGTERM');
      expect((await consumer.ended).code).toBe(0);

      const found = await rows();
      const own = found.filter((row) => row.bucket === null);
      expect(new Set(own.map(({ key }) => key))).toEqual(new Set([...sent.keys(), 'copy.jpg']));
      expect(own).toHaveLength(201);
      for (const { key, top } of own) {
        const answer = golden[sent.get(key) ?? Object.keys(golden)[0]!]!;
        expect(top.map(({ category }) => category)).toEqual(answer.map(({ category }) => category));
      }
      expect(found.filter((row) => row.bucket !== null)).toMatchObject([
        { key: 'a+b %20.jpg', bucket: bucket('side') },
      ]);
      // The test event, the folder, and the deletion.
      expect(await status()).toMatchObject({ predictions: 202, deadLetters: 2, ignored: 3, images: 0 });
      expect(
        (await database.pool.query('select code, image_key from dead_letters order by code')).rows,
      ).toEqual([
        { code: 'bucket_not_allowed', image_key: 'a b.jpg' },
        { code: 'outside_store', image_key: 'beside/in.jpg' },
      ]);
      expect(await rig.json(['audit'])).toMatchObject({ ok: true, missing: 0, orphaned: 0, doubled: 0 });
      const median = own.map(({ latency }) => latency).sort((a, b) => a - b)[100]!;
      expect(median).toBeLessThan(30_000);
    },
  );

  it('answers once more what it had refused, when the bucket is allowed', async () => {
    expect(await rig.json(['dead-letters', 'retry', '--code', 'bucket_not_allowed'])).toMatchObject({
      retried: 1,
    });
    const allowed = { VISIONSCALE_BUCKETS: bucket('third') };
    const consumed = await Promise.all(
      ['0', '1'].map((partition) =>
        rig.json<{ predicted: number }>(['consume', '--partition', partition, '--until-drained'], allowed),
      ),
    );
    expect(consumed.reduce((sum, { predicted }) => sum + predicted, 0)).toBe(1);
    expect((await rows()).filter((row) => row.bucket === bucket('third'))).toMatchObject([
      { key: 'a b.jpg' },
    ]);
    expect(await status()).toMatchObject({ predictions: 203, deadLetters: 1 });
    expect(await rig.json(['audit'])).toMatchObject({ ok: true });
  });
}

/** Reads a topic along, and counts. */
class Events implements AsyncDisposable {
  readonly #end = new AbortController();
  readonly #reading: Promise<unknown>;
  #waiting: (() => void)[] = [];
  heard = 0;

  constructor(topic: Topic, partitions: number) {
    this.#reading = Promise.all(
      [...Array(partitions).keys()].map((partition) => this.#read(topic, partition)),
    );
  }

  /** Settles when one more has come. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #read(topic: Topic, partition: number): Promise<void> {
    await using reader = await topic.reader({ partition, from: 0, group: 'looking on' });
    for await (const _ of reader.records(this.#end.signal)) {
      this.heard++;
      for (const wake of this.#waiting.splice(0)) wake();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#reading;
  }
}
