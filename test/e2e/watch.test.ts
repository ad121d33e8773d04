/** What flows by itself, through the built binary, embedded: `watch`, others' messages, `produce --follow`; every image exactly once. */
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { openEmbeddedTopic } from '../../src/lib/systems/topic/embedded/topic.ts';
import { Rig, type Running } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { itThorough } from '../support/thorough.ts';

let rig: Rig;
let database: Database;
let dir: string;
let consumer: Running;

beforeAll(async () => {
  rig = await Rig.open({ VISIONSCALE_PARTITIONS: '1', VISIONSCALE_WORKERS: '1', IMG_DIR: 'camera' });
  rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
  dir = join(rig.dir, 'camera');
  mkdirSync(join(dir, 'belt 1'), { recursive: true });
  await rig.json(['init']);
  database = await openDatabase(loadConfig(rig.env).database);
  consumer = rig.start(['consume']);
  await consumer.said(/consuming/);
});

afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  await rig?.[Symbol.asyncDispose]();
});

let images = 0;
/** As cameras do: written beside, then renamed. */
async function shoot(count: number): Promise<void> {
  for (; count > 0; count--, images++) {
    const color = colors[images % 3]!;
    const path = join(dir, images % 2 ? 'belt 1' : '', `${color} ${images}.png`);
    writeFileSync(`${path}.part`, await colorImage(color, images));
    renameSync(`${path}.part`, path);
  }
}

interface Row {
  key: string;
  category: string;
  belt: string | null;
  requests: number;
}
const rows = async () =>
  (
    await database.pool.query<Row>(
      `select image_key as key, max(category) as category, max(belt) as belt, count(*)::int as requests
       from prediction_results group by image_key`,
    )
  ).rows;
async function rowsOf(count: number): Promise<Row[]> {
  for (;;) {
    const found = await rows();
    if (found.length >= count) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

it('makes one row of each image, killed or not', async () => {
  const watch = ['watch', '--belt', 'north', '--json'];
  await shoot(4);
  const first = rig.start(watch);
  await shoot(8);
  await rowsOf(3);
  first.process.kill('SIGKILL');
  await first.ended;
  await shoot(4);
  const second = rig.start([...watch, '--delete-after']);
  const found = await rowsOf(images);
  expect(found).toHaveLength(16);
  for (const { key, category, belt, requests } of found) {
    expect(category).toBe(key.split('/').at(-1)!.split(' ')[0]);
    expect([belt, requests]).toEqual(['north', 1]);
  }
  while (readdirSync(dir, { recursive: true }).length > 1)
    await new Promise((resolve) => setTimeout(resolve, 50));
  second.process.kill('SIGTERM');
  const ended = await second.ended;
  expect(ended.code).toBe(0);
  const lines = ended.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind?: string; deleted?: number });
  expect(lines.at(-1)).toMatchObject({ deleted: 16, rejected: 0 });
  expect(lines.slice(0, -1).filter(({ kind }) => kind === 'deleted')).toHaveLength(16);
  expect(await rig.json(['audit'])).toMatchObject({ ok: true, images: 16, toProduce: 0, predictions: 16 });
});

itThorough(
  'classifies what other systems send: an image itself, an envelope; and counts what asks for nothing',
  async () => {
    const topic = await openEmbeddedTopic({ pool: database.pool, name: 'visionscale.images' });
    const producer = await topic.producer();
    await producer.send([
      { key: Buffer.from('inline/red.png'), value: await colorImage('red', 99), headers: {} },
      { key: null, value: Buffer.from('{"Service":"S3","Event":"s3:TestEvent"}'), headers: {} },
      {
        key: null,
        value: Buffer.from(JSON.stringify({ visionscale: 1, imageKey: 'blue 2.png', belt: 'by envelope' })),
        headers: {},
      },
    ]);
    await producer[Symbol.asyncDispose]();
    await topic[Symbol.asyncDispose]();
    const inline = async () => (await rows()).find(({ key }) => key === 'inline/red.png');
    while ((await rows()).every(({ requests }) => requests === 1))
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await inline()).toMatchObject({ category: 'red', requests: 1 });
    expect(await rows()).toContainEqual({ key: 'blue 2.png', category: 'blue', belt: 'north', requests: 2 });
    expect(await rig.json(['status'])).toMatchObject({ predictions: 18, ignored: 1, deadLetters: 0 });
    expect(await rig.json(['audit'])).toMatchObject({ ok: true, predictions: 18 });
  },
);

itThorough('sends the keys of rows as they are inserted, until it is told to stop', async () => {
  const follower = rig.start(['produce', '--follow', '--json']);
  await follower.said(/following/);
  await database.pool.query("insert into image_info (image_key) values ('nobody put this.png')");
  const letter = async () =>
    (await database.pool.query('select image_key as key from dead_letters')).rows as object[];
  while ((await letter()).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await letter()).toEqual([{ key: 'nobody put this.png' }]);
  follower.process.kill('SIGTERM');
  const ended = await follower.ended;
  expect(ended.code).toBe(0);
  expect(JSON.parse(ended.stdout)).toMatchObject({ produced: 1, left: 0 });
  consumer.process.kill('SIGTERM');
  expect((await consumer.ended).code).toBe(0);
});
