/** Consumers change their model between two images: nothing is lost, and every row names the model that made it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { openDatabase } from '../../src/lib/systems/database/open.ts';
import { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { itThorough } from '../support/thorough.ts';

interface Row {
  image_key: string;
  category: string;
  model: string;
  model_digest: string;
}
interface StatusDocument {
  partitions: { lag: number; modelDigest: string | null; detail: string | null }[];
  model: { active: string | null; digest: string | null; disagreement: boolean };
}

const labels: Record<string, readonly string[]> = { english: colors, german: ['rot', 'grün', 'blau'] };

itThorough(
  'switches the model of three running consumers',
  async () => {
    await using rig = await Rig.open();
    rig.env['VISIONSCALE_MODELS'] = join(rig.dir, 'models');
    rig.env['VISIONSCALE_WORKERS'] = '1';
    for (const [name, names] of Object.entries(labels)) {
      await rig.json(['model', 'add', writeColorModel(join(rig.dir, name), name, names), '--name', name]);
    }
    const dir = join(rig.dir, 'images');
    mkdirSync(dir);
    const images = 60;
    for (let n = 0; n < images; n++)
      writeFileSync(join(dir, `${n % 3} ${n}.png`), await colorImage(colors[n % 3]!, n));
    await rig.json(['init']);
    await rig.json(['upload', 'images']);
    await rig.json(['model', 'use', 'english']);
    // Bins are held to the labels of the model that is published, whatever this host runs by itself.
    writeFileSync(join(rig.dir, 'bins.json'), JSON.stringify({ bins: { left: ['red'], right: ['rot'] } }));
    const checked = await rig.run(['bins', 'check', 'bins.json']);
    expect([checked.code, checked.stderr]).toEqual([1, expect.not.stringMatching(/\n\s+at /)]);
    expect(checked.stdout).toContain('right: the model has no label "rot"');
    writeFileSync(join(rig.dir, 'fits.json'), JSON.stringify({ bins: { left: ['red'] } }));
    await rig.json(['bins', 'use', 'fits.json']);
    // Other labels, and a rule that names one of the former: neither is switched without being told.
    const misfit = await rig.run(['model', 'use', 'german', '--yes']);
    expect([misfit.code, misfit.stderr]).toEqual([
      1,
      expect.stringContaining('left: the model has no label "red"'),
    ]);
    const unasked = await rig.run(['model', 'use', 'german', '--force']);
    expect([unasked.code, unasked.stderr]).toEqual([
      2,
      expect.stringMatching(/removed 3: "red", "green", "blue"[^]*--yes/),
    ]);
    const consumers = [0, 1, 2].map((partition) => rig.start(['consume', '--partition', `${partition}`]));
    await Promise.all(consumers.map((consumer) => consumer.said(/"consuming"|consuming/)));

    await using database = await openDatabase(loadConfig(rig.env).database);
    const rows = async () => (await database.pool.query<Row>('select * from prediction_results')).rows;
    const until = async (condition: () => Promise<boolean>) => {
      while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
    };

    // A stream that goes on while the model changes.
    const rounds = 4;
    const stream = (async () => {
      for (let round = 0; round < rounds; round++) {
        await rig.json(['produce', ...(round > 0 ? ['--again'] : []), '--rate', '60']);
      }
    })();
    await until(async () => (await rows()).length > images / 2);
    await rig.json(['model', 'use', 'german', '--force', '--yes']);
    await Promise.all(consumers.map((consumer) => consumer.said(/now runs german/)));
    await stream;
    await until(async () => (await rows()).length >= rounds * images);

    const found = await rows();
    expect(found).toHaveLength(rounds * images);
    expect(new Set(found.map((row) => row.model))).toEqual(new Set(['english', 'german']));
    for (const row of found) expect(row.category).toBe(labels[row.model]![Number(row.image_key[0])]);
    const status = await rig.json<StatusDocument>(['status', '--exit-zero']);
    expect(status.model).toMatchObject({ disagreement: false });
    expect(status.partitions.map((p) => p.modelDigest)).toEqual([0, 1, 2].map(() => status.model.digest));

    const switches = await rig.json<object[]>(['model', 'history']);
    expect(switches).toMatchObject([
      {
        former: expect.stringMatching(/^english@/) as string,
        current: expect.stringMatching(/^german@/) as string,
      },
      { former: null, current: expect.stringMatching(/^english@/) as string },
    ]);
    const back = await rig.json(['model', 'rollback', '--yes']);
    expect(back).toMatchObject({ name: 'english', pipeline: 'default', former: { name: 'german' } });
    // The second time, for they began with it.
    const runsAgain = /now runs german[^]*now runs english/;
    await Promise.all(consumers.map((consumer) => consumer.said(runsAgain)));

    // A model that cannot be had leaves the old one running, and says so.
    await database.pool.query(
      `insert into models (digest, name, version, manifest, bytes) values ($1, 'gone', '1', '{}', 1)`,
      [`sha256:${'0'.repeat(64)}`],
    );
    await database.pool.query(`update active_models set digest = $1`, [`sha256:${'0'.repeat(64)}`]);
    await Promise.all(consumers.map((consumer) => consumer.said(/still using english/)));
    await rig.json(['produce', '--again']);
    await until(async () => (await rows()).length >= (rounds + 1) * images);
    expect((await rig.json<StatusDocument>(['status', '--exit-zero'])).model.disagreement).toBe(true);

    for (const consumer of consumers) consumer.process.kill('SIGTERM');
    expect(
      (await Promise.all(consumers.map((consumer) => consumer.ended))).map((ended) => ended.code),
    ).toEqual([0, 0, 0]);
  },
  180_000,
);
