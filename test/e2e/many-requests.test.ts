/** Messages of thousands of requests through the built binary, and the way past any message: `dead-letters add`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { partitionForKey } from '../../src/lib/systems/topic/embedded/producer.ts';
import { openEmbeddedTopic } from '../../src/lib/systems/topic/embedded/topic.ts';
import { Rig } from '../support/binary.ts';
import { colorImage, writeColorModel } from '../support/color-model.ts';
import { describeThorough } from '../support/thorough.ts';

const partitions = 3;
const topicName = 'visionscale.images';

describeThorough('a message of thousands of requests', () => {
  let rig: Rig;
  let database: Database;

  beforeAll(async () => {
    rig = await Rig.open({ VISIONSCALE_PARTITIONS: `${partitions}` });
    rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
    rig.env['VISIONSCALE_WORKERS'] = '1';
    await rig.json(['init']);
    const dir = join(rig.dir, 'images');
    mkdirSync(dir);
    for (let n = 0; n < 4; n++) writeFileSync(join(dir, `${n}.png`), await colorImage('green', n));
    await rig.json(['upload', 'images']);
    database = await openDatabase(loadConfig(rig.env).database);
  });
  afterAll(async () => {
    await database?.[Symbol.asyncDispose]();
    await rig?.[Symbol.asyncDispose]();
  });

  /** A message key that leads into this partition. */
  const keyInto = (partition: number) => {
    for (let n = 0; ; n++)
      if (partitionForKey(Buffer.from(`${n}`), partitions) === partition) return Buffer.from(`${n}`);
  };
  const send = async (partition: number, values: string[]) => {
    await using topic = await openEmbeddedTopic({ pool: database.pool, name: topicName });
    await using producer = await topic.producer();
    await producer.send(
      values.map((value) => ({ key: keyInto(partition), value: Buffer.from(value), headers: {} })),
    );
  };
  const nothings = (count: number) => `{"Records":[${Array(count).fill('{}').join()}]}`;
  const consumed = () =>
    rig.json<{ predicted: number; deadLettered: number }>(['consume', '--group', '--until-drained']);

  it('is one dead letter on every partition, and the images before, between and after it have rows', async () => {
    const hostile = nothings(20_000);
    for (let partition = 0; partition < partitions; partition++)
      await send(partition, ['0.png', hostile, '1.png', hostile, nothings(999), '2.png', hostile, '3.png']);
    expect(await consumed()).toMatchObject({ predicted: 4 * partitions, deadLettered: 4 * partitions });
    expect(await rig.json(['status'])).toMatchObject({
      predictions: 4 * partitions,
      deadLettersByCode: { too_many_requests: 3 * partitions, unreadable_message: partitions },
    });
    const { rows } = await database.pool.query<{ bytes: number }>(
      `select pg_total_relation_size('dead_letters') + pg_total_relation_size('outbox') as bytes`,
    );
    expect(rows[0]!.bytes).toBeLessThan(1_000_000);
    expect(await rig.json(['audit'])).toMatchObject({ ok: true });
    const list = await rig.run([
      'dead-letters',
      'list',
      '--code',
      'too_many_requests',
      '--limit',
      '1',
      '--json',
    ]);
    expect(list.stdout).toMatch(/the S3 event has 20000 records; the limit is 1000 .*--message-requests/);
  });

  it('is read where as many are allowed', async () => {
    expect((await rig.run(['consume', '--message-requests', '0'])).stderr).toContain('VISIONSCALE_MESSAGE_REQUESTS (--message-requests) must be a whole number from 1 to 10000'); // prettier-ignore
    await send(0, [nothings(1500)]);
    await rig.json(['consume', '--group', '--until-drained', '--message-requests', '1500']);
    const [letter] = await rig.json<{ code: string; message: string }[]>(['dead-letters', 'list']);
    expect(letter).toMatchObject({ code: 'unreadable_message', message: expect.stringContaining('and 1499 more') as string }); // prettier-ignore
  });

  it('or any other is moved into a dead letter by hand, once it is confirmed', async () => {
    await send(1, ['0.png', '1.png']);
    const { rows } = await database.pool.query<{ next: number }>('select next_offset as next from positions where partition = 1'); // prettier-ignore
    const { next } = rows[0]!;
    const add = (...more: string[]) => rig.run(['dead-letters', 'add', '--partition', '1', ...more]);
    expect(await add('--offset', `${next}`)).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') as string }); // prettier-ignore
    expect(await add('--offset', '-1', '--yes')).toMatchObject({ code: 2 });
    expect(await add('--yes')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--offset') as string,
    });
    const recorded = await add('--offset', `${next - 1}`, '--yes');
    expect(recorded).toMatchObject({ code: 1, stdout: '' });
    expect(recorded.stderr).toContain(`is already recorded: the pipeline default is at offset ${next} there`);
    expect((await add('--offset', '9999', '--yes')).stderr).toContain('there is no message at offset 9999');

    const moved = await rig.json<{ letter: number }>(
      ['dead-letters', 'add', '--partition', '1', '--offset', `${next}`, '--yes', '--reason', 'it holds up the belt'],
    ); // prettier-ignore
    expect(moved).toMatchObject({ topic: topicName, partition: 1, offset: next, position: next + 1, isNew: true, owner: null }); // prettier-ignore
    expect(await rig.json(['dead-letters', 'show', `${moved.letter}`])).toMatchObject({
      code: 'moved_by_hand',
      message: expect.stringMatching(/^moved by .+ on .+: it holds up the belt$/) as string,
      imageKey: '0.png',
      state: 'open',
    });
    expect(await consumed()).toMatchObject({ predicted: 1, deadLettered: 0 });
    expect(await rig.json(['audit'])).toMatchObject({ ok: true });
    // Nothing is lost: a retry answers it.
    await rig.json(['dead-letters', 'retry', `${moved.letter}`]);
    expect(await consumed()).toMatchObject({ predicted: 1, deadLettered: 0 });
    expect(await rig.json(['dead-letters', 'show', `${moved.letter}`])).toMatchObject({
      state: 'resolved',
    });
    expect(await rig.json(['audit'])).toMatchObject({ ok: true });
  }, 240_000);
});
