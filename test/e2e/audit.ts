/** `audit` through the built binary: each fault is seeded by hand, and exactly it is named. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { audit as auditVerb, type AuditResult } from '../../src/lib/pipeline/audit/audit.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { openStore } from '../../src/lib/systems/objects/open.ts';
import type { ObjectStore } from '../../src/lib/systems/objects/store.ts';
import { openTopic } from '../../src/lib/systems/topic/open.ts';
import type { Topic } from '../../src/lib/systems/topic/topic.ts';
import { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';

export function auditSuite(title: string, settings: () => Record<string, string>): void {
  describe(title, () => {
    let rig: Rig;
    let database: Database;
    let topic: Topic;
    let store: ObjectStore;
    const images = 9;
    const keyOf = (n: number) => `${n % 2 ? 'é 😀/' : ''}${colors[n % 3]!} ${n}.png`;

    beforeAll(async () => {
      rig = await Rig.open(settings());
      rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
      rig.env['VISIONSCALE_WORKERS'] = '1';
      mkdirSync(join(rig.dir, 'images', 'é 😀'), { recursive: true });
      for (let n = 0; n < images; n++)
        writeFileSync(join(rig.dir, 'images', keyOf(n)), await colorImage(colors[n % 3]!, n));
      await rig.json(['init']);
      const config = loadConfig(rig.env);
      database = await openDatabase(config.database);
      store = await openStore(config.store);
      topic = await openTopic(
        config.topic.kind === 'kafka'
          ? config.topic
          : { ...config.topic, kind: 'embedded', pool: database.pool },
      );
    });

    afterAll(async () => {
      await topic?.[Symbol.asyncDispose]();
      await store?.[Symbol.asyncDispose]();
      await database?.[Symbol.asyncDispose]();
      await rig?.[Symbol.asyncDispose]();
    });

    const sql = (text: string, values: unknown[] = []) => database.pool.query(text, values);
    const consumeAll = async () => {
      const each = [0, 1, 2].map((partition) => [
        'consume',
        '--partition',
        `${partition}`,
        '--until-drained',
      ]);
      await Promise.all(each.map((args) => rig.json(args)));
    };

    const audit = (flags: { objects?: boolean; pipeline?: string } = {}) =>
      auditVerb(
        {
          pool: database.pool,
          topic,
          store: flags.objects === false ? null : store,
          report: () => undefined,
        },
        {
          pipeline: flags.pipeline ?? 'default',
          limit: 1000,
          nameUnlisted: flags.objects === true,
          signal: new AbortController().signal,
        },
      );

    async function run(...flags: string[]): Promise<AuditResult> {
      const ended = await rig.run(['audit', '--json', ...flags]);
      expect(ended.stderr).toBe('');
      const result = JSON.parse(ended.stdout) as AuditResult;
      expect(ended.code).toBe(result.ok ? 0 : 1);
      return result;
    }

    /** Seeds one fault, sees it named and nothing else, and undoes it. */
    async function names(
      seed: () => Promise<unknown>,
      expected: {
        class: 'missing' | 'doubled' | 'orphaned';
        kind: string;
        key: string | null;
        requestId?: string;
      },
      undo: () => Promise<unknown>,
      flags: { objects?: boolean } = {},
    ) {
      await seed();
      const { class: found, ...one } = expected;
      const result = await audit(flags);
      expect(result.named[found]).toEqual([{ ...one, detail: expect.any(String) as string }]);
      const { missing, doubled, orphaned } = result;
      expect({ missing, doubled, orphaned }).toEqual({ missing: 0, doubled: 0, orphaned: 0, [found]: 1 });
      await undo();
      expect(await audit(flags)).toMatchObject({ ok: true, missing: 0, doubled: 0, orphaned: 0 });
    }

    /** A prediction like that for `like`, under another request id. */
    const fakePrediction = (requestId: string, key: string, like: string, offset: string) =>
      sql(
        `insert into prediction_results (image_key, category, confidence, hostname, pipeline, request_id, topic,
           partition, "offset", model, model_version, model_digest, top, stages)
         select $2, category, confidence, hostname, pipeline, $1, topic, partition, ${offset}, model,
           model_version, model_digest, top, stages from prediction_results where request_id = $3`,
        [requestId, key, like],
      );

    it('counts what is on its way as such, at every stage', async () => {
      expect(await run()).toMatchObject({ ok: true, images: 0, messages: 0, objects: 0 });
      await rig.json(['upload', 'images']);
      expect(await run()).toMatchObject({
        ok: true,
        images,
        toProduce: images,
        waiting: 0,
        objects: images,
      });
      await rig.json(['produce', '--limit', '5']);
      expect(await run()).toMatchObject({ ok: true, toProduce: images - 5, messages: 5, waiting: 5 });
      await rig.json(['produce']);
      await consumeAll();
      expect(await run()).toMatchObject({
        ok: true,
        missing: 0,
        doubled: 0,
        orphaned: 0,
        images,
        toProduce: 0,
        messages: images,
        waiting: 0,
        predictions: images,
        objects: images,
        unlisted: 0,
        unverifiable: 0,
        unnamed: 0,
      });
    });

    it('takes redeliveries, other senders and what they cannot read for what they are', async () => {
      await using producer = await topic.producer();
      const plain = (value: string, headers = {}) => ({ key: null, value: Buffer.from(value), headers });
      const { rows } = await sql('select request_id from prediction_results where image_key = $1', [
        keyOf(0),
      ]);
      const { request_id } = rows[0] as { request_id: string };
      await producer.send([
        plain(keyOf(0), { 'visionscale-request-id': request_id }),
        plain(keyOf(1)),
        plain('nobody/has this.jpg'),
        plain('\0'),
      ]);
      expect(await audit()).toMatchObject({ ok: true, waiting: 3 });
      await consumeAll();
      expect(await audit()).toMatchObject({
        ok: true,
        waiting: 0,
        messages: images + 4,
        predictions: images + 1,
        deadLetters: 2,
      });
    });

    it('names a message that was passed over, and a row that was never sent', async () => {
      const key = keyOf(3);
      await sql('create table kept as select * from prediction_results where request_id = $1', [
        `p:1:${key}`,
      ]);
      await names(
        () => sql('delete from prediction_results where request_id = $1', [`p:1:${key}`]),
        { class: 'missing', kind: 'message', key, requestId: `p:1:${key}` },
        () => sql('insert into prediction_results overriding system value select * from kept'),
      );
      // Other than produced, it is to be produced: that is no fault.
      await names(
        () => sql(`insert into image_info (image_key, produced_at) values ('never sent.png', now())`),
        { class: 'missing', kind: 'row', key: 'never sent.png', requestId: 'p:1:never sent.png' },
        () => sql(`delete from image_info where image_key = 'never sent.png'`),
        { objects: false },
      );
    });

    it('names a row whose object is gone, unless a dead letter says so', async () => {
      const key = keyOf(4);
      const bytes = await store.get(key, { maxBytes: 1e6 });
      await names(
        () => store.remove(key),
        { class: 'missing', kind: 'object', key },
        () => store.put(key, bytes, { contentType: 'image/png' }),
      );
      await sql(`insert into image_info (image_key) values ('only a key.png')`);
      expect(await audit()).toMatchObject({ ok: false, missing: 1, toProduce: 1 });
      await rig.json(['produce']);
      await consumeAll();
      expect(await audit()).toMatchObject({ ok: true, deadLetters: 3 });
    });

    it('names objects that nothing names, where that is asked for', async () => {
      await store.put('stray/1.png', Buffer.from('x'), { contentType: 'image/png' });
      expect(await run()).toMatchObject({ ok: true, unlisted: 1, objects: images + 1 });
      expect(await run('--objects')).toMatchObject({ ok: false, orphaned: 1, unlisted: 1 });
      await names(
        () => Promise.resolve(),
        { class: 'orphaned', kind: 'object', key: 'stray/1.png' },
        () => store.remove('stray/1.png'),
        { objects: true },
      );
      // A message that asks for it is a name, as for whoever sends bucket events.
      await store.put('by event.png', await colorImage('red', 1), { contentType: 'image/png' });
      await using producer = await topic.producer();
      await producer.send([{ key: null, value: Buffer.from('by event.png'), headers: {} }]);
      expect(await audit({ objects: true })).toMatchObject({ ok: true, unlisted: 0, waiting: 1 });
      await consumeAll();
      expect(await audit({ objects: true })).toMatchObject({ ok: true, unlisted: 0 });
    });

    it('names what is recorded twice', async () => {
      const key = keyOf(5);
      const id = `p:1:${key}`;
      await names(
        () =>
          sql(
            `insert into dead_letters (pipeline, request_id, image_key, topic, partition, "offset", headers, stage,
               code, message, hostname)
             select pipeline, request_id, image_key, topic, partition, "offset", '{}', 'fetch', 'not_found', '', ''
             from prediction_results where request_id = $1`,
            [id],
          ),
        { class: 'doubled', kind: 'outcomes', key, requestId: id },
        () => sql(`update dead_letters set state = 'resolved' where request_id = $1`, [id]),
      );
      await names(
        () => fakePrediction('another id', key, id, '"offset"'),
        { class: 'doubled', kind: 'position', key, requestId: 'another id' },
        () => sql(`delete from prediction_results where request_id = 'another id'`),
      );
      await names(
        () => fakePrediction(`p:01:${key}`, key, id, '"offset"'),
        { class: 'doubled', kind: 'prediction', key, requestId: expect.stringContaining(key) as string },
        () => sql(`delete from prediction_results where request_id = $1`, [`p:01:${key}`]),
      );
    });

    it('names predictions and dead letters that nothing asked for', async () => {
      const like = `p:1:${keyOf(6)}`;
      await names(
        () => fakePrediction('p:1:nobody sent.png', 'nobody sent.png', like, '"offset" + 1000'),
        { class: 'orphaned', kind: 'prediction', key: 'nobody sent.png', requestId: 'p:1:nobody sent.png' },
        () => sql(`delete from prediction_results where image_key = 'nobody sent.png'`),
      );
      // The row has come to round 1 only.
      await names(
        () => fakePrediction(`p:7:${keyOf(6)}`, keyOf(6), like, '"offset" + 1000'),
        { class: 'orphaned', kind: 'prediction', key: keyOf(6), requestId: `p:7:${keyOf(6)}` },
        () => sql(`delete from prediction_results where request_id like 'p:7:%'`),
      );
      await names(
        () =>
          sql(
            `insert into dead_letters (pipeline, request_id, topic, partition, "offset", headers, stage, code, message,
               hostname)
             select pipeline, 'of nobody', topic, partition, 1000, '{}', 'read', 'unreadable_message', '', ''
             from prediction_results where request_id = $1`,
            [like],
          ),
        { class: 'orphaned', kind: 'dead_letter', key: null, requestId: 'of nobody' },
        () => sql(`delete from dead_letters where request_id = 'of nobody'`),
      );
    });

    it('looks at one pipeline only, and tells a person the same', async () => {
      expect(await run('--pipeline', 'another', '--no-objects')).toMatchObject({
        ok: true,
        predictions: 0,
        waiting: images + 5,
      });
      await sql(
        `insert into image_info (image_key, produced_at) select 'lost ' || n, now() from generate_series(1, 5) n`,
      );
      const ended = await rig.run(['audit', '--limit', '2', '--no-objects']);
      expect(ended.code).toBe(1);
      expect(ended.stdout).toContain('missing 5, doubled 0, orphaned 0: not everything is accounted for');
      expect(ended.stdout).toMatch(/missing {2}row {3}lost 1 {2}p:1:lost 1 {2}it is marked as produced/);
      expect(ended.stdout).toContain('and 3 more (--limit)');
      await sql(`delete from image_info where image_key like 'lost %'`);
      const plain = await rig.run(['audit']);
      expect([plain.code, plain.stderr]).toEqual([0, '']);
      expect(plain.stdout).toContain('missing 0, doubled 0, orphaned 0: everything is accounted for');
    });
  });
}
