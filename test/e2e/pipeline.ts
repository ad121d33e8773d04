/** The pipeline end to end through the built binary, on whatever infrastructure the settings name. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv from 'ajv';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import type { ResultRow } from '../../src/lib/systems/database/tables/predictions.ts';
import { openTopic } from '../../src/lib/systems/topic/open.ts';
import type { Topic } from '../../src/lib/systems/topic/topic.ts';
import { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { itThorough, thorough } from '../support/thorough.ts';

interface Uploaded {
  uploaded: number;
  skipped: number;
  rejected: { path: string; reason: string }[];
}
interface StatusDocument {
  images: number;
  produced: number;
  predictions: number;
  deadLetters: number;
  partitions: { partition: number; lag: number; owner: string | null; state: string }[];
}

/** `settings` says where database, topic and store are; nothing of them needs to exist. */
export function pipelineSuite(title: string, settings: () => Record<string, string>): void {
  describe(title, () => {
    let rig: Rig;
    let database: Database;
    let topic: Topic;
    const images = 12;

    beforeAll(async () => {
      rig = await Rig.open(settings());
      rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
      rig.env['VISIONSCALE_WORKERS'] = '1';
      const dir = join(rig.dir, 'images');
      mkdirSync(join(dir, 'belt 1 #é'), { recursive: true });
      for (let n = 0; n < images; n++) {
        const color = colors[n % 3]!;
        writeFileSync(join(dir, n % 2 ? 'belt 1 #é' : '', `${color} ${n}.png`), await colorImage(color, n));
      }
      await rig.json(['init']);
      const config = loadConfig(rig.env);
      database = await openDatabase(config.database);
      topic = await openTopic(
        config.topic.kind === 'kafka'
          ? config.topic
          : { ...config.topic, kind: 'embedded', pool: database.pool },
      );
    });

    afterAll(async () => {
      await topic?.[Symbol.asyncDispose]();
      await database?.[Symbol.asyncDispose]();
      await rig?.[Symbol.asyncDispose]();
    });

    const rows = async () =>
      (
        await database.pool.query<{ image_key: string; category: string; confidence: number }>(
          'select * from prediction_results order by image_key',
        )
      ).rows;
    /** A consumer for each partition; in a plain run one for all of them. */
    const consumers = thorough
      ? [0, 1, 2].map((partition) => ['--partition', `${partition}`])
      : [['--group']];
    const consumeAll = async () => {
      const ended = await Promise.all(
        consumers.map((which) =>
          rig.json<{ predicted: number; deadLettered: number }>(['consume', ...which, '--until-drained']),
        ),
      );
      return ended.reduce((sum, { predicted }) => sum + predicted, 0);
    };

    it('init is safe twice, and from two hosts at once', async () => {
      const [a, b] = await Promise.all(
        [1, 2].map(() => rig.json<{ topic: { partitions: number } }>(['init'])),
      );
      expect(a).toMatchObject({ topic: { partitions: 3, created: false }, database: { applied: [] } });
      expect(b).toMatchObject({ topic: { partitions: 3 } });
    });

    it('says so when nobody has uploaded anything', async () => {
      expect(await rig.json(['produce'])).toMatchObject({ produced: 0, partitions: [0, 0, 0] });
      expect(await rig.json(['status'])).toMatchObject({ images: 0, predictions: 0 });
    });

    it('uploads what is an image, rejects the rest by name, and uploads nothing twice', async () => {
      writeFileSync(join(rig.dir, 'images', 'notes.jpg'), 'no image at all');
      writeFileSync(join(rig.dir, 'images', 'notes.txt'), 'no image by name');
      const first = await rig.run(['upload', 'images', '--json']);
      expect(first.code).toBe(1);
      const uploaded = JSON.parse(first.stdout) as Uploaded;
      expect(uploaded).toMatchObject({ uploaded: images, skipped: 0, passedOver: 1 });
      expect(uploaded.rejected.map((r) => r.path)).toEqual([expect.stringContaining('notes.jpg') as string]);
      const second = JSON.parse((await rig.run(['upload', 'images', '--json'])).stdout) as Uploaded;
      expect(second).toMatchObject({ uploaded: 0, skipped: images });
      rmSync(join(rig.dir, 'images', 'notes.jpg'));
      const third = await rig.run(['upload', 'images']);
      expect([third.code, third.stdout]).toEqual([0, expect.stringContaining('not an image by name (.txt)')]);
      const strict = await rig.run(['upload', 'images', '--strict', '--json']);
      expect(strict.code).toBe(1);
      expect((JSON.parse(strict.stdout) as Uploaded).rejected).toHaveLength(1);
      const named = await rig.run(['upload', 'images/notes.txt']);
      expect([named.code, named.stdout]).toEqual([1, expect.stringContaining('not an image')]);
      rmSync(join(rig.dir, 'images', 'notes.txt'));
    });

    it('produces each key once and classifies it once', async () => {
      expect(await rig.json(['produce'])).toMatchObject({ produced: images });
      expect(await rig.json(['produce'])).toMatchObject({ produced: 0 });
      expect(await consumeAll()).toBe(images);
      const found = await rows();
      expect(found).toHaveLength(images);
      expect(new Set(found.map((row) => row.image_key)).size).toBe(images);
      for (const row of found) {
        expect(row.category).toBe(row.image_key.split('/').at(-1)!.split(' ')[0]);
        expect(row.confidence).toBeGreaterThan(40);
      }
      // Consuming again changes nothing.
      expect(await consumeAll()).toBe(0);
      expect(await rows()).toHaveLength(images);
    });

    it('keeps the original system’s columns first', async () => {
      const { rows: columns } = await database.pool.query<{ column_name: string }>(
        `select column_name from information_schema.columns where table_name = 'prediction_results'
         order by ordinal_position limit 5`,
      );
      expect(columns.map((c) => c.column_name)).toEqual([
        'image_key',
        'category',
        'confidence',
        'hostname',
        'time',
      ]);
    });

    it('opens a new round with --again', async () => {
      expect(await rig.json(['produce', '--again'])).toMatchObject({ produced: images });
      await consumeAll();
      expect(await rows()).toHaveLength(2 * images);
    });

    it('classifies what other tools send, and dead-letters what does not exist without losing the next', async () => {
      const key = `red 0.png`;
      await using producer = await topic.producer();
      const send = (text: string) => ({
        key: Buffer.from('same partition'),
        value: Buffer.from(text),
        headers: {},
      });
      await producer.send([send('nobody/uploaded this.jpg'), send(key), send('a\u0000b'), send(key)]);
      expect(await consumeAll()).toBe(2);
      const letters = await database.pool.query<{
        image_key: string | null;
        code: string;
        stage: string;
        message: string;
      }>('select image_key, code, stage, message from dead_letters order by id');
      expect(letters.rows).toMatchObject([
        { image_key: 'nobody/uploaded this.jpg', stage: 'fetch', code: 'not_found' },
        { image_key: null, stage: 'read', code: 'unreadable_message' },
      ]);
      expect(await rows()).toHaveLength(2 * images + 2);
    });

    it('takes a row inserted by hand with nothing but its key', async () => {
      await database.pool.query(`insert into image_info (image_key) values ('only a key.png')`);
      expect(await rig.json(['produce'])).toMatchObject({ produced: 1 });
      await consumeAll();
      expect(await rig.json(['status'])).toMatchObject({
        images: images + 1,
        produced: images + 1,
        deadLetters: 3,
      });
    });

    it('shows status and results', async () => {
      const status = await rig.json<StatusDocument>(['status']);
      expect(status.predictions).toBe(2 * images + 2);
      expect(status.partitions.map((p) => [p.partition, p.lag, p.owner, p.state])).toEqual(
        [0, 1, 2].map((p) => [p, 0, null, 'free']),
      );
      const red = await rig.json<{ category: string }[]>([
        'results',
        '--category',
        'red',
        '--limit',
        '3',
        '--since',
        '1h',
      ]);
      expect(red.map((r) => r.category)).toEqual(['red', 'red', 'red']);
      const csv = await rig.run(['results', '--key', 'red 0.png', '--csv']);
      expect(csv.stdout.split('\n')[0]).toBe(
        'imageKey,category,confidence,hostname,processedAt,model,modelVersion,latencyMs,bin,binReason,belt,id,novelty',
      );
      expect(
        csv.stdout
          .trim()
          .split('\n')
          .slice(1)
          .every((line) => line.startsWith('red 0.png,red,')),
      ).toBe(true);
      expect((await rig.run(['results'])).stdout).toContain('category');
      const parquet = ['results', '--key', 'red 0.png', '--parquet', 'red.parquet'];
      const written = await rig.json<{ rows: number }>(parquet);
      const file = await asyncBufferFromFile(join(rig.dir, 'red.parquet'));
      const read = await parquetReadObjects({ file });
      expect(read).toHaveLength(written.rows);
      expect(read[0]).toMatchObject({ imageKey: 'red 0.png', category: 'red', belt: null });
      expect(read[0]!['processedAt']).toBeInstanceOf(Date);
      const again = await rig.run(parquet);
      expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('red.parquet already exists')]);
      const [last] = await rig.json<object[]>(['results', '--limit', '1']);
      const { offset, partition, ...result } = last as ResultRow;
      expect([offset, partition]).toEqual([expect.any(Number), expect.any(Number)]);
      const schema = JSON.parse(
        readFileSync(join(import.meta.dirname, '../../docs/result.schema.json'), 'utf8'),
      ) as object;
      const ajv = new Ajv();
      expect(ajv.validate(schema, result), ajv.errorsText()).toBe(true);
      const { model, hostname } = result;
      const from = ['--model', `${model.name}@${model.version}`, '--consumer', hostname];
      const ours = await rig.json<unknown[]>(['results', '--key', 'red 0.png', ...from]);
      expect(ours.length).toBeGreaterThan(0);
      for (const [flag, value] of [
        ['--model', 'other'],
        ['--consumer', 'elsewhere'],
        ['--belt', 'north'],
      ] as const)
        expect(await rig.json(['results', '--key', 'red 0.png', flag, value])).toEqual([]);
      const { stdout } = await rig.run(['results', '--key', 'nobody/uploaded this.jpg']);
      expect(stdout).toMatch(
        /uploaded this\.jpg has no prediction: it is dead letter \d+ \(open, not_found: /,
      );
    });

    it('audits itself, and lists what could not be classified', async () => {
      expect(await rig.json(['audit'])).toMatchObject({ ok: true, missing: 0, doubled: 0, orphaned: 0 });
      const { length } = await rig.json<unknown[]>(['dead-letters', 'list']);
      expect(length).toBe(3);
    });

    itThorough('hands a partition to the standby when its owner is told to stop', async () => {
      const owner = rig.start(['consume', '--partition', '0'], { VISIONSCALE_LOG_LEVEL: 'info' });
      await owner.said(/consuming/);
      const standby = rig.start(['consume', '--partition', '0']);
      await standby.said(/standing by/);
      owner.process.kill('SIGTERM');
      expect((await owner.ended).code).toBe(0);
      await standby.said(/"consuming"|consuming/);
      standby.process.kill('SIGTERM');
      expect((await standby.ended).code).toBe(0);
    });

    itThorough(
      'shares what nobody was told to consume, and takes over from one that was killed',
      async () => {
        const owned = async () => {
          const { partitions } = await rig.json<StatusDocument>(['status', '--exit-zero']);
          const live = partitions.filter(({ state }) => state === 'consuming').map(({ owner }) => owner!);
          return [...new Set(live)].map((owner) => live.filter((o) => o === owner).length).sort();
        };
        const until = async (shares: number[]) => {
          while (JSON.stringify(await owned()) !== JSON.stringify(shares));
        };
        const first = rig.start(['consume']);
        await until([3]);
        const second = rig.start(['consume']);
        await until([1, 2]);
        const following = rig.start(['results', '--follow', '--category', 'red', '--json'], {
          VISIONSCALE_LOG_LEVEL: 'info',
        });
        await following.said(/waiting for new ones/);
        expect(await rig.json(['produce', '--again'])).toMatchObject({ produced: images + 1 });
        first.process.kill('SIGKILL');
        await first.ended;
        await until([3]);
        while ((await rig.json<StatusDocument>(['status', '--exit-zero'])).partitions.some((p) => p.lag > 0));
        second.process.kill('SIGTERM');
        expect((await second.ended).code).toBe(0);
        await following.printed(images / 3);
        following.process.kill('SIGINT');
        const followed = await following.ended;
        const found = followed.stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as { category: string });
        expect([followed.code, found.map(({ category }) => category)]).toEqual([
          0,
          Array(images / 3).fill('red'),
        ]);
        expect(await rows()).toHaveLength(3 * images + 2);
      },
      120_000,
    );

    itThorough(
      'shares the partitions of a group, and refuses --partition beside it',
      async () => {
        const members = [rig.start(['consume', '--group']), rig.start(['consume', '--group'])];
        await Promise.all(members.map((member) => member.said(/consuming/)));
        const refused = await rig.run(['consume', '--partition', '1']);
        expect(refused.code).toBe(1);
        expect(refused.stderr).toMatch(/is consumed with --group by .* on /);
        expect(await rig.json(['produce', '--again'])).toMatchObject({ produced: images + 1 });
        const drained = async () => {
          const { partitions } = await rig.json<StatusDocument>(['status', '--exit-zero']);
          return partitions.every((p) => p.lag === 0);
        };
        while (!(await drained()));
        for (const member of members) member.process.kill('SIGTERM');
        const results = await Promise.all(members.map((member) => member.ended));
        expect(results.map((r) => r.code)).toEqual([0, 0]);
        expect(await rows()).toHaveLength(4 * images + 2);
      },
      120_000,
    );

    itThorough(
      'gains partitions, also where results are published, and running consumers take them',
      async () => {
        const consumer = rig.start(['consume']);
        await consumer.said(/consuming/);
        const grow = (partitions: number, ...more: string[]) =>
          rig.run(['topic', 'grow', '--partitions', `${partitions}`, ...more]);
        const unasked = await grow(5);
        expect([unasked.code, unasked.stderr]).toEqual([2, expect.stringMatching(/for good, .* --yes/s)]);
        for (const [partitions, why] of [
          [3, 'has 3 partitions already'],
          [2, 'has 3 partitions: it cannot have 2'],
        ] as const) {
          const refused = await grow(partitions, '--yes');
          expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining(why)]);
        }
        expect(await topic.partitions()).toBe(3);
        const grown = { before: 3, partitions: 5 };
        expect(await rig.json(['topic', 'grow', '--partitions', '5', '--yes'])).toEqual({
          topics: ['', '.results', '.dead'].map((suffix) => ({ name: `${topic.name}${suffix}`, ...grown })),
          added: [3, 4],
          consumers: { sharing: 1, fixed: 0 },
        });
        expect(await rig.json(['produce', '--again'])).toMatchObject({ produced: images + 1 });
        const busy = async () => {
          const { partitions } = await rig.json<StatusDocument>(['status', '--exit-zero']);
          return partitions.length < 5 || partitions.some((p) => p.lag > 0 || p.state !== 'consuming');
        };
        while (await busy());
        expect((await topic.bounds(3)).end + (await topic.bounds(4)).end).toBeGreaterThan(0);
        expect(await rows()).toHaveLength(5 * images + 2);
        consumer.process.kill('SIGTERM');
        expect((await consumer.ended).code).toBe(0);
        expect(await rig.json(['audit'])).toMatchObject({ ok: true, missing: 0, doubled: 0 });
      },
      120_000,
    );
  });
}
