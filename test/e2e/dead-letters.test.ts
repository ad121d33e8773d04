/** Dead letters through the built binary: found, repaired, retried to one prediction, dropped, shown. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { openEmbeddedTopic } from '../../src/lib/systems/topic/embedded/topic.ts';
import { Rig } from '../support/binary.ts';
import { colorImage, writeColorModel } from '../support/color-model.ts';
import { plainJpeg } from '../support/images.ts';
import { itThorough } from '../support/thorough.ts';

interface Letter {
  id: number;
  imageKey: string | null;
  code: string;
  state: string;
  attempts: number;
}

describe('dead-letters', () => {
  let rig: Rig;
  let database: Database;
  const topicName = 'visionscale.images';

  beforeAll(async () => {
    rig = await Rig.open({ VISIONSCALE_PARTITIONS: '1' });
    rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
    rig.env['VISIONSCALE_WORKERS'] = '1';
    await rig.json(['init']);
    database = await openDatabase(loadConfig(rig.env).database);
    const send = ['late.png', 'never.png'].map((key) => ({
      key: Buffer.from(key),
      value: Buffer.from(key),
      headers: { 'visionscale-belt': 'north' },
    }));
    const poison = {
      key: null,
      value: Buffer.from([0xff, 0xd8, 0x1b, 0x5b]),
      headers: { 'x-from': 'a\u001b[31mcamera' },
    };
    await using topic = await openEmbeddedTopic({ pool: database.pool, name: topicName });
    await using producer = await topic.producer();
    await producer.send([...send, poison]);
  });
  afterAll(async () => {
    await database?.[Symbol.asyncDispose]();
    await rig?.[Symbol.asyncDispose]();
  });

  const consume = async () => {
    const { predicted, deadLettered } = await rig.json<{ predicted: number; deadLettered: number }>([
      'consume',
      '--until-drained',
    ]);
    return { predicted, deadLettered };
  };
  const list = (...more: string[]) => rig.json<Letter[]>(['dead-letters', 'list', ...more]);
  const lettersOf = async (...keys: (string | null)[]) => {
    const all = await list('--state', 'all');
    return keys.map((key) => {
      const letter = all.find((l) => l.imageKey === key);
      if (!letter) throw new Error(`no letter of ${key}`);
      return letter;
    });
  };
  const letterOf = async (key: string | null) => (await lettersOf(key))[0]!;

  itThorough('says so where there are none', async () => {
    expect(await list()).toEqual([]);
    expect((await rig.run(['dead-letters', 'list'])).stdout).toBe('no dead letters found\n');
    expect(await rig.json(['dead-letters', 'retry', '--all'])).toMatchObject({
      retried: 0,
      topic: topicName,
    });
  });

  it('lists, shows and counts what failed, and why', async () => {
    const following = ['--json', '--code=not_found'].map((flag) =>
      rig.start(['dead-letters', 'list', '--follow', flag]),
    );
    const looking = `select count(distinct pid)::int as n from pg_stat_activity
      where query like 'with shown as%from dead_letters%' and pid <> pg_backend_pid()`;
    await expect
      .poll(async () => (await database.pool.query<{ n: number }>(looking)).rows[0]?.n, { timeout: 20_000 })
      .toBe(following.length);
    expect(await consume()).toEqual({ predicted: 0, deadLettered: 3 });
    const all = await list();
    const followed = await Promise.all(
      following.map(async (follower, n) => {
        await follower.printed(n === 0 ? 3 : 2);
        follower.process.kill('SIGINT');
        const { code, stdout } = await follower.ended;
        return { code, lines: stdout.trim().split('\n') };
      }),
    );
    expect(followed.map(({ code }) => code)).toEqual([0, 0]);
    expect(followed[0]!.lines.map((line) => JSON.parse(line) as Letter)).toEqual(all.toReversed());
    expect(followed[1]!.lines).toEqual(
      ['late', 'never'].map(
        (name) =>
          expect.stringMatching(new RegExp(`Z  dead letter \\d+  not_found  ${name}\\.png  `)) as string,
      ),
    );
    expect(all).toHaveLength(3);
    expect(await list('--limit', '2')).toEqual(all.slice(0, 2));
    expect(await list('--code', 'not_found', '--since', '1h')).toHaveLength(2);
    expect(await list('--stage', 'read')).toHaveLength(1);
    expect(await list('--until', '1h')).toEqual([]);
    const plain = (await rig.run(['dead-letters', 'list'])).stdout;
    expect(plain.split('\n')[0]).toMatch(/^ *id +last +state +tried +code +image +message +reason$/);
    expect(plain).toContain('late.png');

    const [poison, late] = all
      .filter((l) => l.imageKey !== 'never.png')
      .sort((a) => (a.imageKey === null ? -1 : 1)) as [Letter, Letter];
    expect(await rig.json(['dead-letters', 'show', `${poison.id}`])).toMatchObject({
      id: poison.id,
      pipeline: 'default',
      topic: topicName,
      state: 'open',
      attempts: 1,
      stage: 'read',
      key: null,
      value: { bytes: 4, base64: '/9gbWw==' },
      headers: { 'x-from': 'a\u001b[31mcamera' },
    });
    const shown = (await rig.run(['dead-letters', 'show', `${poison.id}`])).stdout;
    expect(shown).toContain('not UTF-8');
    expect(shown).toContain('/9gbWw== (4 B, base64)');
    expect(shown).not.toContain('\u001b');
    expect(await rig.json(['dead-letters', 'show', `${late.id}`])).toMatchObject({
      key: { bytes: 8, text: 'late.png' },
      value: { bytes: 8, text: 'late.png' },
    });

    expect(await rig.json(['status'])).toMatchObject({
      deadLetters: 3,
      deadLettersByCode: { not_found: 2, unreadable_message: 1 },
    });
    expect((await rig.run(['status'])).stdout).toContain(
      'dead letters: not_found 2, unreadable_message 1 (visionscale dead-letters list)',
    );
  });

  it('retries to one prediction after the cause is repaired, however often', async () => {
    const dir = join(rig.dir, 'images');
    mkdirSync(dir);
    writeFileSync(join(dir, 'late.png'), await colorImage('green', 1));
    await rig.json(['upload', 'images']);
    const { id } = await letterOf('late.png');
    // The second as if the first had been killed before it noted what it had sent.
    expect(await rig.json(['dead-letters', 'retry', '--code', 'not_found'])).toEqual({
      retried: 2,
      topic: topicName,
      refused: 0,
    });
    await database.pool.query('update dead_letters set retry_sent_at = null');
    expect(await rig.json(['dead-letters', 'retry', '--all'])).toMatchObject({ retried: 3 });
    expect(await consume()).toEqual({ predicted: 1, deadLettered: 0 });
    expect(await lettersOf('late.png', 'never.png', null)).toMatchObject([
      { id, state: 'resolved', attempts: 1 },
      { state: 'open', attempts: 2 },
      { state: 'open', attempts: 2 },
    ]);

    const again = await rig.run(['dead-letters', 'retry', `${id}`]);
    expect([again.code, again.stderr]).toEqual([
      0,
      expect.stringContaining(`dead letter ${id} is already resolved`),
    ]);
    expect(again.stdout).toContain('nothing to retry');
    expect(await consume()).toEqual({ predicted: 0, deadLettered: 0 });
    expect(await rig.json(['results'])).toMatchObject([{ imageKey: 'late.png', category: 'green' }]);
    const { rows } = await database.pool.query('select belt from prediction_results');
    expect(rows).toEqual([{ belt: 'north' }]);
    expect(await rig.json(['status'])).toMatchObject({ predictions: 1, deadLetters: 2 });
  });

  itThorough('drops, after which nothing comes of it', async () => {
    const { id } = await letterOf('never.png');
    await rig.json(['dead-letters', 'retry', `${id}`]);
    expect(await rig.json(['dead-letters', 'drop', `${id}`])).toEqual({ dropped: 1 });
    writeFileSync(join(rig.dir, 'images', 'never.png'), await colorImage('red', 2));
    await rig.json(['upload', 'images']);
    expect(await consume()).toEqual({ predicted: 0, deadLettered: 0 });
    expect(await letterOf('never.png')).toMatchObject({ state: 'dropped', attempts: 2 });
    const unasked = await rig.run(['dead-letters', 'drop', '--all']);
    expect([unasked.code, unasked.stderr]).toEqual([
      2,
      expect.stringMatching(/1 open dead letter of.*--yes/s),
    ]);
    const misspelt = await rig.run(['dead-letters', 'drop', '--code', 'not_foundd']);
    expect([misspelt.code, misspelt.stderr]).toEqual([
      1,
      expect.stringContaining('(did you mean not_found?)'),
    ]);
    expect(await rig.json(['status'])).toMatchObject({ deadLetters: 1 });
    expect((await rig.run(['dead-letters', 'drop', '--all', '--yes'])).stdout).toBe(
      'dropped 1 dead letter\n',
    );
    expect(await rig.json(['status'])).toMatchObject({ deadLetters: 0, deadLettersByCode: {} });
  });

  it.each([
    [['retry'], /which dead letters\?.*--all/],
    [['retry', '1', '--all'], /--all and ids cannot be used together/],
    [['retry', 'one'], /whole number above 0/],
    [['list', '--state', 'shut'], /--state/],
    [['retry', '--until', 'tomorrow-ish'], /--until tomorrow-ish is neither/],
  ])('%j exits 2', async (args, message) => {
    const ended = await rig.run(['dead-letters', ...args]);
    expect(ended.stderr).toMatch(message);
    expect([ended.code, ended.stdout]).toEqual([2, '']);
  });

  itThorough(
    'names what only decoding can tell, of an image that `upload` took for its structure',
    async () => {
      const jpeg = await plainJpeg('blue');
      // The table of codes says that there are more codes than there can be.
      jpeg.fill(0xff, jpeg.indexOf('ffc4', 'hex') + 5, jpeg.indexOf('ffc4', 'hex') + 21);
      const directory = join(rig.dir, 'undecodable');
      mkdirSync(directory);
      writeFileSync(join(directory, 'built.jpg'), jpeg);
      const png = await colorImage('blue', 3);
      writeFileSync(join(directory, 'cut.png'), png.subarray(0, -20));
      const verified = await rig.run(['upload', directory, '--verify', '--concurrency', '1', '--json']);
      expect(verified.code).toBe(1);
      expect(JSON.parse(verified.stdout)).toMatchObject({
        uploaded: 0,
        rejected: [
          {
            path: expect.stringContaining('built.jpg') as string,
            reason: expect.stringContaining('cannot be decoded') as string,
          },
          { reason: 'the png file ends before its pixels do' },
        ],
      });
      const taken = await rig.run(['upload', directory, '--json']);
      expect(JSON.parse(taken.stdout)).toMatchObject({
        uploaded: 1,
        rejected: [
          {
            path: expect.stringContaining('cut.png') as string,
            reason: 'the png file ends before its pixels do',
          },
        ],
      });
      await rig.json(['produce']);
      expect(await consume()).toMatchObject({ deadLettered: 1 });
      expect(await letterOf('built.jpg')).toMatchObject({ state: 'open', attempts: 1, code: 'corrupt' });
    },
  );

  itThorough('says which letter does not exist', async () => {
    for (const command of ['show', 'retry']) {
      const ended = await rig.run(['dead-letters', command, '999999']);
      expect([ended.code, ended.stdout]).toEqual([1, '']);
      expect(ended.stderr).toContain('no dead letter 999999');
      expect(ended.stderr).toContain('dead-letters list --state all');
    }
  });
});
