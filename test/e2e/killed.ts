/** `upload` and `produce` killed at seeded random moments, run again, and compared with a run that nobody disturbed. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { header } from '../../src/lib/systems/message/record.ts';
import { openStore } from '../../src/lib/systems/objects/open.ts';
import type { ObjectStore } from '../../src/lib/systems/objects/store.ts';
import { openTopic } from '../../src/lib/systems/topic/open.ts';
import type { Topic } from '../../src/lib/systems/topic/topic.ts';
import { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';

const images = 100;
/** Longest time from a moment that was waited for to the kill, ms. */
const jitterMs = 25;

/** A directory of images, and a pipeline to bring them through. */
class Pipeline implements AsyncDisposable {
  readonly rig: Rig;
  readonly database: Database;
  readonly topic: Topic;
  readonly store: ObjectStore;

  private constructor(rig: Rig, database: Database, topic: Topic, store: ObjectStore) {
    this.rig = rig;
    this.database = database;
    this.topic = topic;
    this.store = store;
  }

  static async open(settings: Record<string, string>): Promise<Pipeline> {
    const rig = await Rig.open(settings);
    rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
    for (const folder of ['', 'left', 'right é'])
      mkdirSync(join(rig.dir, 'images', folder), { recursive: true });
    for (let n = 0; n < images; n++) await writeImage(rig, n, n);
    await rig.json(['init']);
    const config = loadConfig(rig.env);
    const database = await openDatabase(config.database);
    const topic = await openTopic(
      config.topic.kind === 'kafka'
        ? config.topic
        : { ...config.topic, kind: 'embedded', pool: database.pool },
    );
    return new Pipeline(rig, database, topic, await openStore(config.store));
  }

  async consume(): Promise<void> {
    const each = [0, 1, 2].map((partition) => ['consume', '--partition', `${partition}`, '--until-drained']);
    await Promise.all(each.map((args) => this.rig.json(args)));
  }

  /** A number from the database. */
  async number(sql: string): Promise<number> {
    const { rows } = await this.database.pool.query<{ n: number }>(`select (${sql})::int8 as n`);
    return rows[0]!.n;
  }

  rows = () => this.number('select count(*) from image_info');
  marked = () => this.number('select count(*) from image_info where produced_at is not null');
  async messages(): Promise<number> {
    const bounds = await Promise.all([0, 1, 2].map((partition) => this.topic.bounds(partition)));
    return bounds.reduce((sum, { end }) => sum + end, 0);
  }

  /** Everything that a killed run could have left other than a clean one. */
  async state() {
    const { rows } = await this.database.pool.query<Record<string, unknown>>(
      `select image_key, sha256, bytes, content_type, round, produced_at is not null as produced
       from image_info order by image_key collate "C"`,
    );
    const { rows: predictions } = await this.database.pool.query<Record<string, unknown>>(
      `select image_key, request_id, category from prediction_results order by request_id collate "C"`,
    );
    const { rows: rounds } = await this.database.pool.query<Record<string, unknown>>(
      'select images, completed_at is not null as completed from produce_rounds order by id',
    );
    const objects: { key: string; bytes: number; sha256: string }[] = [];
    for await (const one of this.store.list()) {
      const content = await this.store.get(one.key, { maxBytes: 1e6 });
      objects.push({ ...one, sha256: createHash('sha256').update(content).digest('hex') });
    }
    return { rows, predictions, rounds, objects, requests: await this.#requests() };
  }

  /** Request ids in the topic, each once. */
  async #requests(): Promise<string[]> {
    const ids = new Set<string>();
    for (const partition of [0, 1, 2]) {
      const { first, end } = await this.topic.bounds(partition);
      if (end === first) continue;
      await using reader = await this.topic.reader({ partition, from: first, group: 'test' });
      for await (const record of reader.records(new AbortController().signal)) {
        ids.add(record.headers[header.requestId] ?? 'none');
        if (record.offset + 1 >= end) break;
      }
    }
    return [...ids].sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.topic[Symbol.asyncDispose]();
    await this.store[Symbol.asyncDispose]();
    await this.database[Symbol.asyncDispose]();
    await this.rig[Symbol.asyncDispose]();
  }
}

/** Into file `n`, picture `picture`. */
async function writeImage(rig: Rig, n: number, picture: number): Promise<void> {
  const file = `${['', 'left/', 'right é/'][n % 3]}${String(n).padStart(3, '0')}.png`;
  writeFileSync(join(rig.dir, 'images', file), await colorImage(colors[picture % 3]!, picture));
}

/** `settings` says where database, topic and store of the pipeline of this name are. */
export function killedSuite(
  title: string,
  seed: number,
  settings: (name: 'killed' | 'clean') => Record<string, string>,
): void {
  describe(`${title} (VISIONSCALE_TEST_SEED=${seed})`, () => {
    const random = seeded(seed);
    let killed: Pipeline;
    let clean: Pipeline;

    beforeAll(async () => {
      [killed, clean] = await Promise.all([
        Pipeline.open(settings('killed')),
        Pipeline.open(settings('clean')),
      ]);
    }, 120_000);
    afterAll(async () => {
      await killed?.[Symbol.asyncDispose]();
      await clean?.[Symbol.asyncDispose]();
    });

    /** Starts it and kills it: a moment after `moment` is there. False where it had ended before. */
    async function killOnce(args: string[], moment: () => Promise<boolean>): Promise<boolean> {
      const running = killed.rig.start(args);
      let over = false;
      void running.ended.then(() => (over = true));
      while (!over && !(await moment()));
      await sleep(random() * jitterMs);
      running.process.kill('SIGKILL');
      const { signal, stderr } = await running.ended;
      if (signal === null) expect(stderr).not.toContain('unexpected');
      return signal === 'SIGKILL';
    }

    /** Kills `times` runs, each when `progress` has come a random way on, one of them while it still starts. */
    async function killOften(args: string[], times: number, progress: () => Promise<number>, step: number) {
      let kills = 0;
      const early = Math.floor(random() * times);
      for (let n = 0; n < times; n++) {
        const goal = (await progress()) + random() * step;
        const started = performance.now();
        const startup = random() * 600;
        const moment = async () =>
          n === early ? performance.now() - started > startup : (await progress()) > goal;
        if (await killOnce(args, moment)) kills++;
      }
      return kills;
    }

    /**
     * Kills it while the statement that would note what it has just done waits for a lock: the worst moment. The
     * statement is not let through after its sender's death.
     */
    async function killBeforeNoting(args: string[]): Promise<void> {
      const lock = await killed.database.pool.connect();
      try {
        await lock.query(
          'begin; set local idle_in_transaction_session_timeout = 0; lock table image_info in exclusive mode',
        );
        const blocked = `from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
        const isBlocked = async () => (await killed.number(`select count(*) ${blocked}`)) > 0;
        expect(await killOnce(args, isBlocked)).toBe(true);
        await lock.query(`select pg_terminate_backend(pid) ${blocked}`);
        while (await isBlocked());
      } finally {
        await lock.query('rollback');
        lock.release();
      }
    }

    const audited = () => killed.rig.json(['audit', '--objects']);

    it('uploads to the same rows and objects', async () => {
      const upload = ['upload', 'images', '--concurrency', '1'];
      await killBeforeNoting(upload);
      expect(await killed.rows()).toBe(0);
      const kills = await killOften(upload, 4, killed.rows, images / 5);
      expect(kills).toBeGreaterThanOrEqual(3);
      await Promise.all([killed.rig.json(upload), clean.rig.json(upload)]);
      const state = await killed.state();
      expect(state.objects).toHaveLength(images);
      expect(state).toEqual(await clean.state());
      expect(await killed.rig.json(upload)).toMatchObject({ uploaded: 0, skipped: images });
    }, 120_000);

    it('produces the same requests, each predicted once', async () => {
      const produce = ['produce', '--rate', '60'];
      await killBeforeNoting(produce);
      expect(await killed.marked()).toBe(0);
      expect(await killed.messages()).toBeGreaterThan(0);
      expect(await killOften(produce, 3, () => killed.messages(), images / 4)).toBeGreaterThanOrEqual(2);
      await Promise.all([killed.rig.json(['produce']), clean.rig.json(['produce'])]);
      await Promise.all([killed.consume(), clean.consume()]);
      const state = await killed.state();
      expect(state).toEqual(await clean.state());
      expect(state.requests).toHaveLength(images);
      expect(state.predictions).toHaveLength(images);
      expect(await killed.messages()).toBeGreaterThan(images); // some were sent twice
      expect(await audited()).toMatchObject({ ok: true, waiting: 0, toProduce: 0, predictions: images });
    }, 120_000);

    it('finishes a round of --again with produce', async () => {
      const again = ['produce', '--again', '--rate', '300'];
      await killBeforeNoting(again); // while the round is being opened: nothing of it stays
      expect(await killed.number('select count(*) from image_info where round > 1')).toBe(0);
      expect(await killOnce(again, async () => (await killed.marked()) < images)).toBe(true);
      expect(await killOften(again, 1, () => killed.messages(), images / 4)).toBe(1);
      expect(await killed.marked()).toBeLessThan(images);
      await Promise.all([killed.rig.json(['produce']), clean.rig.json(['produce', '--again'])]);
      await Promise.all([killed.consume(), clean.consume()]);
      const state = await killed.state();
      expect(state).toEqual(await clean.state());
      expect(state.rounds).toEqual([{ images, completed: true }]);
      expect(state.predictions).toHaveLength(2 * images);
      expect(await audited()).toMatchObject({ ok: true, waiting: 0, toProduce: 0 });
    }, 120_000);

    it('replaces images, and comes back from a replacement that was taken back', async () => {
      const replaced = images / 4;
      for (let n = 0; n < replaced; n++)
        await Promise.all([killed, clean].map(({ rig }) => writeImage(rig, n, images + n)));
      const done = () => killed.number('select count(*) from image_info where round = 3');
      await killBeforeNoting(['upload', 'images']);
      await killOften(['upload', 'images'], 1, done, replaced / 3);
      await Promise.all([killed, clean].map(({ rig }) => rig.json(['upload', 'images'])));
      const state = await killed.state();
      expect(state.objects.map(({ sha256 }) => sha256)).toEqual(state.rows.map((row) => row['sha256']));
      expect(state).toEqual(await clean.state());

      // Killed with new objects in the store, then the old files are there again: the objects have to be the old ones.
      for (let n = 0; n < replaced; n++) await writeImage(killed.rig, n, n);
      await killBeforeNoting(['upload', 'images']);
      for (let n = 0; n < replaced; n++) await writeImage(killed.rig, n, images + n);
      await killed.rig.json(['upload', 'images']);
      const back = await killed.state();
      expect(back.objects).toEqual(state.objects);
      await killed.rig.json(['produce']);
      await killed.consume();
      expect(await audited()).toMatchObject({ ok: true, waiting: 0 });
    }, 120_000);
  });
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
