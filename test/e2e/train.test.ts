/** `train` as a user runs it: on small drawn sets with a parent of chance weights; on photographs where they are there. */
import { cp, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { colouredPng, openFolders, writeColours, type Folders } from '../support/class-folders.ts';
import { writeConvModel } from '../support/conv-model.ts';
import { presentEngines } from '../support/engines.ts';
import { chance, chanceSqueezeNet, squeezeNetFiles } from '../support/squeezenet-models.ts';
import { itThorough, thorough, thoroughTitle } from '../support/thorough.ts';
import { writeTinyModel } from '../support/tiny-models.ts';

/** Nothing like a colour. */
function noisePng(seed: number): Promise<Buffer> {
  const next = chance(seed + 1);
  const data = Uint8Array.from({ length: 48 * 40 * 3 }, () => 256 * next());
  return sharp(data, { raw: { width: 48, height: 40, channels: 3 } })
    .png()
    .toBuffer();
}

interface Trained {
  top1: number;
  top5: number;
  model: string;
  version: string;
  digest: string;
  active: boolean;
  reused: boolean;
  images: { train: number; held: number };
  unreadable: { path: string }[];
  unjudged: string[];
  oneGroup: string[];
  groups: { count: number; largest: number };
  interval95: object | null;
  duplicates: number;
  comparison: { better: boolean; reason: string; formerTop1?: number };
  report: string;
}

describe('train --mode head', () => {
  let rig: Rig;
  let folders: Folders;
  let parent: Awaited<ReturnType<typeof writeTinyModel>>;
  /** Images of each of the three classes; a sixth of them is held out. */
  const each = thorough ? 12 : 6;
  const args = (...more: string[]) => [
    'train',
    folders.path,
    '--name',
    'colours',
    '--from',
    parent.path,
    ...more,
  ];
  beforeAll(async () => {
    rig = await Rig.open({ VISIONSCALE_WORKERS: '2' });
    folders = await openFolders();
    await writeColours(folders, each);
    await folders.write('red/cut.jpg', 'not an image');
    await folders.write('red/notes.txt', 'no image by name');
    parent = await writeTinyModel('mean', {
      ...squeezeNetFiles(chanceSqueezeNet(10)),
      'labels.txt': 'a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n',
    });
  });
  afterAll(async () => {
    await parent?.[Symbol.asyncDispose]();
    await folders?.[Symbol.asyncDispose]();
    await rig?.[Symbol.asyncDispose]();
  });

  it('makes a model that is judged and reported, and leaves the active one alone', async () => {
    const made = await rig.json<Trained>(args('--out', 'report'));
    expect(made).toMatchObject({ model: 'colours', active: false, reused: false, unjudged: [] });
    // About a fifth of each class, in whole groups of like pictures.
    expect(made.images.train + made.images.held).toBe(3 * each);
    expect(made.images.held).toBeGreaterThanOrEqual((3 * each) / 6);
    expect(made.images.held).toBeLessThanOrEqual(each);
    expect(made.unreadable.map(({ path }) => path)).toEqual([join(folders.path, 'red/cut.jpg')]);
    expect(made).toMatchObject({ passedOver: 1, passedOverKinds: { '.txt': 1 } });
    expect(made.top1).toBe(1);
    const html = await readFile(join(rig.dir, 'report', 'report.html'), 'utf8');
    expect(html).toContain('colours');
    const metrics = JSON.parse(await readFile(join(rig.dir, 'report', 'metrics.json'), 'utf8')) as object;
    expect(JSON.stringify(metrics)).toContain(made.digest);
    const manifest = JSON.parse(
      await readFile(join(rig.env.VISIONSCALE_MODELS!, 'colours', made.version, 'model.json'), 'utf8'),
    ) as Record<string, unknown>;
    const digest = expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string;
    expect(manifest).toMatchObject({
      parent: digest,
      metrics: { top1: 1 },
      training: { mode: 'head', data: digest, heldOut: digest, seed: 1 },
      expected: { images: made.images.held },
    });
    const { classes } = (manifest as { expected: { classes: number[] } }).expected;
    expect(classes).toHaveLength(3);
    expect(classes.reduce((sum, count) => sum + count, 0)).toBe(made.images.held);
  });

  it('tells objects of none of its classes', async () => {
    await using foreign = await openFolders();
    for (let i = 0; i < 6; i++) await foreign.write(`${i}.png`, await noisePng(i));
    const found = await rig.json<{ unknown: number; foreign: object }>([
      ...['evaluate', folders.path, '--model', 'colours', '--unknown', foreign.path, '--out', 'unknown'],
    ]);
    expect(found.unknown).toBeLessThanOrEqual(0.1);
    expect(found.foreign).toEqual({ images: 6, unknown: 1, auroc: 1 });
    expect(await rig.json(['model', 'show', 'colours'])).toMatchObject({ tellsUnknown: true });
    const html = await readFile(join(rig.dir, 'unknown', 'report.html'), 'utf8');
    expect(html).toContain('100.0 % of 6 images of other objects are called unknown');
  });

  it('learns on a network of another kind, which is then sorted with', async () => {
    const other = join(rig.dir, 'conv');
    await writeConvModel(other, 10);
    const { code, stdout, stderr } = await rig.run([
      ...['train', folders.path, '--name', 'colours-conv', '--from', other, '--json'],
    ]);
    expect(stderr).not.toContain('cannot start');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ top1: 1, model: 'colours-conv' });
    const labels = await rig.run(['classify', folders.path, '--local', '--model', 'colours-conv', '--json']);
    const rows = labels.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { image: string; category: string });
    expect(rows.length).toBe(3 * each);
    for (const { image, category } of rows) expect(image.startsWith(`${category}/`)).toBe(true);
  });

  it('is used once `model use` says so', async () => {
    expect((await rig.run(['model', 'show'])).stderr).toContain('no model is chosen');
    expect(await rig.json(['model', 'use', 'colours'])).toMatchObject({
      active: true,
      pipeline: null,
      former: null,
    });
  });

  it.each(thorough ? presentEngines : presentEngines.slice(0, 1))(
    'leaves a model that the engine %s runs',
    async (engine) => {
      const ended = await rig.run(['classify', folders.path, '--local', '--engine', engine, '--json']);
      const rows = ended.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { image: string; category: string });
      expect(rows).toHaveLength(3 * each);
      for (const { image, category } of rows) expect(image.startsWith(`${category}/`)).toBe(true);
    },
  );

  it('takes the model that is there, and says so', async () => {
    const again = await rig.run(args());
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout).toMatch(/colours@\w+ already exists \(top-1 100\.0 %\): nothing was trained/);
    expect(again.stdout).toContain('--retrain');
  });

  itThorough('says of a new version whether it is better, and never makes it active', async () => {
    const kept = await rig.json<Trained>(args('--retrain', '--classes', 'red,green,blue'));
    expect(kept).toMatchObject({ active: false, comparison: { better: false, formerTop1: 1 } });
    const active = await rig.json<{ name: string; version: string }>(['model', 'show']);
    expect(active.version).not.toBe(kept.version);
    const said = await rig.run(args('--retrain', '--classes', 'red,green,blue'));
    expect([said.code, said.stdout]).toEqual([
      0,
      expect.stringMatching(/\nUse it: visionscale model use colours@\w+\n$/),
    ]);
  });

  const refusals: [string[], number, RegExp][] = [
    [['--classes', 'red,violet'], 1, /no folder for the class "violet"/],
    [['--val-split', '1'], 2, /between 0 and 1/],
    [['--classes', 'red'], 1, /one class only, "red"/],
    [['--val', 'absent'], 2, /no such file or directory: absent/],
    [['--input-size', '100', '--mode', 'scratch'], 2, /multiple of 16/],
    [['--input-size', '112'], 2, /--mode scratch/],
    [['--mode', 'full'], 2, /Mode full was removed: use --mode head, with --from a better network/],
    [['--mode', 'some'], 2, /Allowed choices are head, scratch/],
    [['--from', 'nothing'], 1, /there is no model "nothing"/],
    [['--group-by', '{object}/*'], 2, /matches none of the images\n.*called "000.png"/],
    [['--group-by', '*_*.png'], 2, /does not say what makes a group\n.*\{object\}/],
  ];
  const refuses = async (more: string[], code: number, message: RegExp) => {
    const refused = await rig.run([...args('--retrain'), ...more]);
    expect([refused.code, refused.stdout]).toEqual([code, '']);
    expect(refused.stderr).toMatch(message);
  };
  it.each(refusals.slice(0, 2))('refuses %j', refuses);
  it.runIf(thorough).each(refusals.slice(2))(thoroughTitle('refuses %j'), refuses);

  itThorough('holds back whole objects, by name or folder, and names a class that has one only', async () => {
    await using objects = await openFolders();
    for (const [colour, names] of [
      ['red', ['o1-1', 'o1-2', 'o1-3', 'o2-1', 'o2-2', 'o2-3', 'o3-1', 'o3-2', 'o3-3']],
      ['blue', ['o1/1', 'o1/2', 'o2/1', 'o2/2', 'o2/3', 'o2/4']],
      ['green', ['o1-1', 'o1-2', 'o1-3', 'o1-4']],
    ] as const) {
      for (const [i, name] of names.entries())
        await objects.write(`${colour}/${name}.png`, await colouredPng(colour, 10 * name.length + i));
    }
    const made = await rig.json<Trained>([
      ...['train', objects.path, '--name', 'objects', '--from', parent.path, '--group-by', '{object}-*'],
      ...['--out', 'objects'],
    ]);
    // Red: one object of three pictures; blue: the folder of two; green is one object.
    expect(made).toMatchObject({
      images: { train: 14, held: 5 },
      groups: { count: 2, largest: 3 },
      oneGroup: ['green'],
      unjudged: ['green'],
      interval95: null,
    });
    const html = await readFile(join(rig.dir, 'objects', 'report.html'), 'utf8');
    expect(html).toContain('2 groups of similar pictures');
    expect(html).not.toContain('95 % confidence');
  });

  itThorough('leaves out of the judgement what the training set has too', async () => {
    await using val = await openFolders();
    await writeColours(val, 3, '', 7000);
    await val.write('red/copy.png', await readFile(join(folders.path, 'red', '000.png')));
    const made = await rig.json<Trained & { verdict: { because: string[] } }>([
      ...['train', folders.path, '--val', val.path, '--name', 'copies', '--from', parent.path],
    ]);
    expect(made).toMatchObject({ images: { train: 3 * each, held: 9 }, duplicates: 1 });
    expect(made.verdict.because.join('\n')).toContain('Left out: 1 image of the hold-out');
  });

  itThorough('needs a directory; TRAINING_DATA_DIR and CLASS_NAMES are as good as flags', async () => {
    expect((await rig.run(['train'])).code).toBe(2);
    const made = await rig.json<Trained & { classes: number }>(
      ['train', '--name', 'two', '--from', parent.path],
      {
        TRAINING_DATA_DIR: folders.path,
        CLASS_NAMES: 'red, blue',
      },
    );
    expect(made).toMatchObject({ model: 'two', classes: 2, active: false });
  });

  it.runIf(thorough).each([
    ['features', /classes, \d+ images to train on/],
    ['fits', /features of \d+ images/],
    ['judging', /cross-validated accuracy/],
  ])(thoroughTitle('is interrupted without a trace, before or among the %s'), async (_, line) => {
    const running = rig.start(['train', folders.path, '--name', 'cut', '--from', parent.path]);
    await running.said(line);
    running.process.kill('SIGINT');
    const ended = await running.ended;
    expect(ended.code).toBe(130);
    expect(ended.stderr).toContain('interrupted; no model was made');
    expect((await rig.run(['model', 'list', '--json'])).stdout).not.toContain('"cut"');
  });
});

const shared = process.env['VISIONSCALE_TEST_DATA'];

describe.skipIf(shared === undefined)('train --mode head on photographs [VISIONSCALE_TEST_DATA]', () => {
  it('learns ten kinds of groceries', async () => {
    await using rig = await Rig.open();
    const grocery = join(shared!, 'images', 'grocery');
    for (const set of ['train', 'val']) {
      for (const label of (await readdir(join(grocery, 'val'))).slice(7, 17)) {
        await mkdir(join(rig.dir, set, label), { recursive: true });
        const files = (await readdir(join(grocery, set, label))).slice(0, 16);
        for (const file of files) await cp(join(grocery, set, label, file), join(rig.dir, set, label, file));
      }
    }
    const parent = join(shared!, 'models', 'squeezenet1_1-imagenet');
    const made = await rig.json<Trained>([
      'train',
      'train',
      '--val',
      'val',
      '--name',
      'ten',
      '--from',
      parent,
    ]);
    expect(made.images.train).toBe(160);
    expect(made.top1).toBeGreaterThan(0.7);
  }, 400_000);
});
