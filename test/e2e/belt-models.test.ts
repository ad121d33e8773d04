/** Belts with models of their own: rows name theirs, a switch loses nothing, and one that is damaged holds up no other. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { header } from '../../src/lib/systems/message/record.ts';
import { partitionForKey } from '../../src/lib/systems/topic/embedded/producer.ts';
import { openEmbeddedTopic } from '../../src/lib/systems/topic/embedded/topic.ts';
import { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';

const labels: Record<string, readonly string[]> = {
  english: colors,
  german: ['rot', 'grün', 'blau'],
  french: ['rouge', 'vert', 'bleu'],
};

interface Row {
  image_key: string;
  category: string;
  model: string;
  belt: string | null;
  partition: number;
}
interface StatusDocument {
  partitions: { lag: number; state: string; detail: string | null }[];
  model: { active: string; belts: { belt: string; name: string }[]; disagreement: boolean };
}

/** A message key that goes to this partition of three. */
function keyOf(partition: number): Buffer {
  for (let n = 0; ; n++) {
    const key = Buffer.from(`key ${n}`);
    if (partitionForKey(key, 3) === partition) return key;
  }
}

describe('models of belts', () => {
  let rig: Rig;
  let database: Database;

  beforeAll(async () => {
    rig = await Rig.open();
    for (const [name, names] of Object.entries(labels)) {
      await rig.json(['model', 'add', writeColorModel(join(rig.dir, name), name, names), '--name', name]);
    }
    mkdirSync(join(rig.dir, 'images'));
    for (const [n, color] of colors.entries())
      writeFileSync(join(rig.dir, 'images', `${n}.png`), await colorImage(color, n));
    await rig.json(['init']);
    await rig.json(['upload', 'images']);
    await rig.json(['model', 'use', 'english']);
    database = await openDatabase(loadConfig(rig.env).database);
  }, 120_000);

  afterAll(async () => {
    await database?.[Symbol.asyncDispose]();
    await rig?.[Symbol.asyncDispose]();
  });

  /** So many messages of this belt, of each colour in turn. */
  async function send(belt: string | null, count: number, partition = 0): Promise<void> {
    await using topic = await openEmbeddedTopic({ pool: database.pool, name: 'visionscale.images' });
    await using producer = await topic.producer();
    await producer.send(
      Array.from({ length: count }, (_, n) => ({
        key: keyOf(partition),
        value: Buffer.from(`${n % 3}.png`),
        headers: belt === null ? {} : { [header.belt]: belt },
      })),
    );
  }
  const rows = async (which = 'true') =>
    (await database.pool.query<Row>(`select * from prediction_results where ${which} order by id`)).rows;
  const until = async (condition: () => Promise<boolean>) => {
    while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  const modelsOf = (found: Row[]) => [...new Set(found.map(({ model }) => model))].sort();
  const checkCategories = (found: Row[]) => {
    for (const row of found) expect(row.category).toBe(labels[row.model]![Number(row.image_key[0])]);
  };
  const stopped = async (consumer: ReturnType<Rig['start']>) => {
    consumer.process.kill('SIGTERM');
    expect((await consumer.ended).code).toBe(0);
  };

  it('are named by their rows, and change while the stream goes on', async () => {
    const asked = await rig.run(['model', 'use', 'german', '--belt', 'north']);
    expect([asked.code, asked.stderr]).toEqual([2, expect.stringMatching(/added +3: "rot"[^]*--yes/)]);
    expect(await rig.json(['model', 'use', 'german', '--belt', 'north', '--yes'])).toMatchObject({
      name: 'german',
      belt: 'north',
      former: { name: 'english' },
    });
    const consumer = rig.start(['consume']);
    await send('north', 12);
    await send('south', 12);
    await send(null, 3);
    await until(async () => (await rows()).length === 27);
    expect(modelsOf(await rows(`belt = 'north'`))).toEqual(['german']);
    expect(modelsOf(await rows(`belt is distinct from 'north'`))).toEqual(['english']);

    // A stream of both belts that goes on meanwhile.
    let sent = 27;
    let streaming = true;
    const stream = (async () => {
      while (streaming) {
        for (const [n, belt] of ['north', 'south'].entries()) await send(belt, 3, n);
        sent += 6;
      }
    })();
    await rig.json(['model', 'use', 'french', '--belt', 'north', '--yes']);
    await consumer.said(/belt north now runs french/);
    const before = sent;
    await until(() => Promise.resolve(sent > before + 12));
    streaming = false;
    await stream;
    await send('north', 3);
    await until(async () => (await rows()).length >= sent + 3);
    const found = await rows();
    expect(found).toHaveLength(sent + 3);
    expect(modelsOf(found.filter(({ belt }) => belt === 'north'))).toEqual(['french', 'german']);
    expect(modelsOf(found.filter(({ belt }) => belt !== 'north'))).toEqual(['english']);
    expect(modelsOf(found.filter(({ belt }) => belt === 'north').slice(-3))).toEqual(['french']);
    checkCategories(found);

    const status = await rig.json<StatusDocument>(['status', '--exit-zero']);
    expect(status.model).toMatchObject({ belts: [{ belt: 'north', name: 'french' }], disagreement: false });
    expect((await rig.run(['status', '--exit-zero'])).stdout).toMatch(/^belt north: french /m);
    expect((await rig.run(['model', 'list'])).stdout).toMatch(/french@.* belt north$/m);

    expect(await rig.json(['model', 'rollback', '--belt', 'north', '--yes'])).toMatchObject({
      name: 'german',
      former: { name: 'french' },
    });
    await consumer.said(/belt north now runs german/);
    await rig.json(['model', 'use', '--belt', 'north', '--default', '--yes']);
    await consumer.said(/belt north now runs english/);
    // From the pipeline's back to its own.
    await rig.json(['model', 'rollback', '--belt', 'north', '--yes']);
    await consumer.said(/belt north now runs english[^]*belt north now runs german/);
    expect(await rig.json(['model', 'history'])).toMatchObject([
      { belt: 'north', former: null, current: expect.stringMatching(/^german@/) as string },
      { belt: 'north', former: expect.stringMatching(/^german@/) as string, current: null },
      { belt: 'north', former: expect.stringMatching(/^french@/) as string },
      { belt: 'north', current: expect.stringMatching(/^french@/) as string },
      { belt: 'north', former: null },
      { belt: null, former: null, current: expect.stringMatching(/^english@/) as string },
    ]);
    await stopped(consumer);
  }, 120_000);

  it('are held to the bins together', async () => {
    const rules = (left: string[]) => {
      writeFileSync(join(rig.dir, 'bins.json'), JSON.stringify({ bins: { left } }));
      return rig.run(['bins', 'check', 'bins.json']);
    };
    expect((await rules(['red', 'rot'])).code).toBe(0);
    expect((await rules(['rouge'])).stdout).toContain('the model has no label "rouge"');
    await rules(['red', 'rot']);
    await rig.json(['bins', 'use', 'bins.json']);
    const misfit = await rig.run(['model', 'use', '--belt', 'north', '--default', '--yes']);
    expect([misfit.code, misfit.stderr]).toEqual([1, expect.stringContaining('no label "rot"')]);
    expect((await rig.json<StatusDocument>(['status', '--exit-zero'])).model.belts).toHaveLength(1);
  }, 60_000);

  it('take turns where memory holds one of them, and a pinned model counts for all', async () => {
    await rig.json(['model', 'use', 'french', '--belt', 'south', '--yes']);
    const first = (await rows()).length;
    for (let n = 0; n < 3; n++) for (const belt of ['north', 'south', null]) await send(belt, 3, 1);
    const ended = await rig.run(['consume', '--until-drained'], { VISIONSCALE_MODEL_MEMORY_BYTES: '1' });
    expect([ended.code, ended.stderr]).toEqual([
      0,
      expect.stringMatching(/closed (german|french) .* to make room/),
    ]);
    const found = (await rows()).slice(first);
    expect(found).toHaveLength(27);
    const own: Record<string, string> = { north: 'german', south: 'french' };
    for (const row of found) expect(row.model).toBe(own[row.belt ?? ''] ?? 'english');
    checkCategories(found);

    await send('north', 3);
    const pinned = await rig.run(['consume', '--until-drained', '--model', 'english']);
    expect([pinned.code, pinned.stderr]).toEqual([
      0,
      expect.stringContaining('belts have models of their own'),
    ]);
    expect(modelsOf((await rows()).slice(-3))).toEqual(['english']);
  }, 60_000);

  it('that are damaged make their belt wait with its reason, and no other', async () => {
    await rig.json(['model', 'use', 'french', '--belt', 'south', '--yes', '--force']);
    const folder = join(rig.dir, 'data', 'images', '.visionscale', 'models');
    const digests = new Map(
      (
        await database.pool.query<{ name: string; digest: string }>('select name, digest from models')
      ).rows.map(({ name, digest }) => [name, digest.slice(7)]),
    );
    const file = readdirSync(folder).find((name) => name.includes(digests.get('german')!))!;
    const damaged = readFileSync(join(folder, file));
    damaged[20]! ^= 1;
    writeFileSync(join(folder, file), damaged);
    const first = (await rows()).length;
    // A host that has none of the models.
    const consumer = rig.start(['consume'], { VISIONSCALE_MODELS: join(rig.dir, 'none') });
    await send('north', 3, 0);
    await send('south', 3, 1);
    await consumer.said(/the model of belt north cannot be used: the weights of german.*; its images wait/);
    await until(async () => (await rows()).length === first + 3);
    expect(modelsOf((await rows()).slice(first))).toEqual(['french']);
    const status = await rig.json<StatusDocument>(['status', '--exit-zero']);
    expect(status.partitions[0]).toMatchObject({
      lag: 3,
      state: 'waiting',
      detail: expect.stringMatching(
        /^the model of belt north cannot be opened: the weights of german/,
      ) as string,
    });
    expect(status.partitions[1]).toMatchObject({ lag: 0, state: 'consuming' });
    await rig.json(['model', 'use', '--belt', 'north', '--default', '--yes', '--force']);
    await until(async () => (await rows()).length === first + 6);
    expect(modelsOf((await rows()).slice(first + 3))).toEqual(['english']);
    await stopped(consumer);
  }, 60_000);
});
