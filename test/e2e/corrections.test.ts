/** The closed loop on the embedded stack: export what was unsure, sort it, read it back, measure, train on it. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/lib/config/load.ts';
import { correctedExamples } from '../../src/lib/learning/corrections.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { openStore } from '../../src/lib/systems/objects/open.ts';
import { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { chanceSqueezeNet, squeezeNetFiles } from '../support/squeezenet-models.ts';
import { itThorough } from '../support/thorough.ts';
import { writeTinyModel } from '../support/tiny-models.ts';

interface Exported {
  exported: number;
  folders: Record<string, number>;
  skipped: { key: string; reason: string }[];
}
interface Accuracy {
  models: {
    model: { name: string };
    images: number;
    right: number;
    top1: number | null;
    predicted: number;
  }[];
  days: { day: string; images: number; right: number }[];
}

describe('the closed loop', () => {
  let rig: Rig;
  let database: Database;
  const total = 12;

  beforeAll(async () => {
    rig = await Rig.open({ VISIONSCALE_PARTITIONS: '1', VISIONSCALE_WORKERS: '1' });
    // A label that is no name of a folder; the model is never very sure.
    rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'), 'colors', [
      '../red',
      'green',
      'blue',
    ]);
    for (let n = 0; n < total; n++) {
      const color = colors[n % 3]!;
      const dir = join(rig.dir, 'images', `belt ${n % 2}`);
      mkdirSync(dir, { recursive: true });
      // The same name in two folders: keys with slashes that collide.
      writeFileSync(join(dir, `${color} ${n >> 1}.png`), await colorImage(color, n));
    }
    await rig.json(['init']);
    await rig.json(['upload', 'images']);
    await rig.json(['produce']);
    await rig.json(['consume', '--until-drained']);
    database = await openDatabase(loadConfig(rig.env).database);
  });
  afterAll(async () => {
    await database?.[Symbol.asyncDispose]();
    await rig?.[Symbol.asyncDispose]();
  });

  const files = (dir: string) =>
    readdirSync(join(rig.dir, dir), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => readdirSync(join(rig.dir, dir, name)).map((file) => `${name}/${file}`));

  it('still lists results, and exports by confidence, category, margin and time', async () => {
    expect(await rig.json(['results', '--limit', '10'])).toHaveLength(10);
    expect((await rig.json<Exported>(['results', 'export', 'none', '--below', '1'])).exported).toBe(0);
    const later = ['results', 'export', 'none', '--until', '1d'];
    expect((await rig.json<Exported>(later)).exported).toBe(0);
    const green = await rig.json<Exported>([
      'results',
      'export',
      'green',
      '--category',
      'green',
      '--limit',
      '3',
    ]);
    expect(green).toMatchObject({ exported: 3, folders: { green: 3 }, skipped: [] });
    const close = await rig.json<Exported>([
      'results',
      'export',
      'close',
      '--margin',
      '100',
      '--since',
      '1h',
    ]);
    expect(close.exported).toBe(total);
    const again = await rig.run(['results', 'export', 'close']);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('correct --from')]);
  });

  it('writes nothing outside of its directory, and tells images of one name apart', async () => {
    const before = readdirSync(rig.dir).sort();
    const exported = await rig.json<Exported>(['results', 'export', 'sort', '--below', '100']);
    expect(exported.folders).toEqual({ '%2E.%2Fred': 4, blue: 4, green: 4 });
    expect(readdirSync(rig.dir).sort()).toEqual([...before, 'sort'].sort());
    const names = files('sort').map((file) => basename(file));
    expect(new Set(names).size).toBe(total);
    for (const name of names) expect(name).toMatch(/^(red|green|blue) \d-[0-9a-f]{12}\.png$/);
    const index = readFileSync(join(rig.dir, 'sort/visionscale-export.jsonl'), 'utf8').trim().split('\n');
    expect(index).toHaveLength(total + 1);
  });

  it('reads a sorted export back: moved, renamed, removed, doubled and foreign files', async () => {
    const sorted = files('sort').sort();
    const of = (folder: string) => sorted.filter((file) => file.startsWith(`${folder}/`));
    const at = (file: string) => join(rig.dir, 'sort', file);
    const [moved, renamed, removed, doubled] = of('green') as [string, string, string, string];
    renameSync(at(moved), at(`blue/${basename(moved)}`));
    renameSync(at(renamed), at('blue/of another name.png'));
    rmSync(at(removed));
    writeFileSync(at(`blue/${basename(doubled)}`), readFileSync(at(doubled)));
    writeFileSync(at('blue/foreign.png'), await colorImage('red', 90));
    mkdirSync(at('bleu'));
    renameSync(at(of('blue')[0]!), at(`bleu/${basename(of('blue')[0]!)}`));

    const refused = await rig.run(['correct', '--from', 'sort']);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('bleu (did you mean blue?)')]);
    const { rows } = await database.pool.query('select 1 from corrections');
    expect(rows).toHaveLength(0);

    const ended = await rig.run(['correct', '--from', 'sort', '--new', '--by', 'ada', '--json']);
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.stdout)).toMatchObject({ corrected: 10, moved: 3, changed: 10, removed: 2 });
    expect(ended.stderr).toMatch(/rejected {2}\S*blue\/foreign\.png: it is not from this export/);
    expect(ended.stderr).toContain('it is in two classes');
    const found = await database.pool.query<{ label: string; n: number; by: string }>(
      'select label, count(*)::int4 as n, min(corrected_by) as by from corrections group by label order by label collate "C"',
    );
    expect(found.rows).toEqual([
      { label: '../red', n: 4, by: 'ada' },
      { label: 'bleu', n: 1, by: 'ada' },
      { label: 'blue', n: 5, by: 'ada' },
    ]);
    // Once more changes nothing; `bleu` is known by now.
    expect(JSON.parse((await rig.run(['correct', '--from', 'sort', '--json'])).stdout)).toMatchObject({
      changed: 0,
    });
    expect((await rig.run(['correct', '--from', 'sort', '--pipeline', 'other'])).stderr).toContain(
      '--pipeline default',
    );
  });

  it('exports only what nobody has judged yet', async () => {
    expect((await rig.json<Exported>(['results', 'export', 'rest'])).folders).toEqual({ green: 2 });
  });

  it('corrects one image by its key', async () => {
    const key = 'belt 0/blue 4.png';
    expect(await rig.json(['correct', key, 'green'])).toMatchObject({ predicted: 'blue', changed: true });
    expect(await rig.json(['correct', key, 'blue'])).toMatchObject({ label: 'blue', changed: true });
  });

  itThorough('refuses keys and labels that do not exist', async () => {
    const key = 'belt 0/blue 4.png';
    const typo = await rig.run(['correct', key, 'grean']);
    expect([typo.code, typo.stderr]).toEqual([1, expect.stringContaining('did you mean green?')]);
    expect((await rig.run(['correct', 'no such key', 'green'])).code).toBe(1);
    expect((await rig.run(['correct', key])).code).toBe(2);
    expect((await rig.run(['correct', key, 'green', '--from', 'sort'])).code).toBe(2);
  });

  const measured = async () => rig.json<Accuracy>(['results', 'accuracy']);

  it('measures the accuracy by model and by day', async () => {
    const { models, days } = await measured();
    expect(models).toMatchObject([
      { model: { name: 'colors' }, predicted: total, images: 10, right: 7, top1: 0.7 },
    ]);
    expect(days).toMatchObject([
      { images: 10, right: 7, day: expect.stringMatching(/^\d{4}-\d\d-\d\d$/) as string },
    ]);
    const plain = (await rig.run(['results', 'accuracy'])).stdout;
    expect(plain).toContain('70.0');
    expect(plain).toContain('right more often than this');
    // A filter, not a model to load.
    expect((await rig.json<Accuracy>(['results', 'accuracy', '--model', 'elsewhere'])).models).toEqual([]);
  });

  itThorough(
    'counts an image once, however often it was predicted, and a replaced one no longer',
    async () => {
      // Predicted again by the same model: each image still counts once.
      await rig.json(['produce', '--again']);
      await rig.json(['consume', '--until-drained']);
      expect((await measured()).models).toMatchObject([{ images: 10, right: 7 }]);
      // Another picture under a corrected key: what was said of the former is not true of it.
      writeFileSync(join(rig.dir, 'images/belt 0/red 0.png'), await colorImage('green', 91));
      await rig.json(['upload', 'images']);
      await rig.json(['produce']);
      await rig.json(['consume', '--until-drained']);
      expect((await measured()).models).toMatchObject([{ images: 10, right: 7 }]);
      const next = await rig.json<Exported>(['results', 'export', 'replaced']);
      expect(next.folders).toEqual({ green: 3 });
    },
  );

  itThorough('gives the corrected images with their labels to train with, each content once', async () => {
    const config = loadConfig(rig.env);
    await using store = await openStore(config.store);
    const { pool } = database;
    const { limits } = config;
    const deps = { pool, store, limits, signal: new AbortController().signal };
    const cache = join(rig.dir, 'cache');
    const set = await correctedExamples(deps, 'default', cache);
    expect(set.labels).toEqual(['../red', 'bleu', 'blue']);
    const counts = set.labels.map((_, label) => set.examples.filter((e) => e.label === label).length);
    expect(counts).toEqual([3, 1, 5]);
    expect(set.skipped).toEqual([
      { key: 'belt 0/red 0.png', reason: 'the image was replaced after it was corrected' },
    ]);
    for (const { path, sha256 } of set.examples) expect(path).toBe(join(cache, sha256.slice(0, 2), sha256));
    // From the cache, with the store gone.
    const away = { ...store, get: () => Promise.reject(new Error('asked for it again')) };
    expect(await correctedExamples({ ...deps, store: away }, 'default', cache)).toEqual(set);
    await expect(correctedExamples(deps, 'nobody', cache)).rejects.toMatchObject({ code: 'no_corrections' });
  });

  itThorough('trains on them together with folders: what a person said last counts', async () => {
    const write = async (path: string, color: 'green' | 'blue', n: number) => {
      mkdirSync(join(rig.dir, 'more', dirname(path)), { recursive: true });
      writeFileSync(join(rig.dir, 'more', path), await colorImage(color, n));
    };
    for (const color of ['green', 'blue'] as const) {
      for (let n = 0; n < 6; n++) await write(`${color}/${n}.png`, color, 200 + n);
    }
    await write('green/wrong.png', 'blue', 8); // corrected to blue above
    const labels = { 'labels.txt': Array.from({ length: 10 }, (_, n) => `class ${n}`).join('\n') };
    await using parent = await writeTinyModel('mean', {
      ...squeezeNetFiles(chanceSqueezeNet(10)),
      ...labels,
    });
    const made = await rig.json<{ images: { train: number; held: number }; leftOut: string[] }>([
      ...['train', 'more', '--from-corrections', '--classes', '../red,blue,green', '--name', 'corrected'],
      ...['--from', parent.path],
    ]);
    expect(made.images.train + made.images.held).toBe(3 + 5 + 12);
    expect(made.leftOut).toEqual(['bleu']);
    const refused = await rig.run(['train', '--from-corrections', '--name', 'alone', '--from', parent.path]);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/too few different images.*bleu/),
    ]);
  });
});
