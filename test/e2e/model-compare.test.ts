/** `model compare` through the built binary: which of several models to take, on labelled pictures in groups. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel, writeTellingColorModel } from '../support/color-model.ts';

interface Compared {
  recommended: string | null;
  recommendation: string;
  best: string;
  images: number;
  groups: { count: number; largest: number };
  classes: number;
  leftOut: string[];
  models: {
    name: string;
    top1: number;
    interval95: { low: number; high: number } | null;
    behind: { mean: number; low: number; high: number } | null;
    ms: number;
    imagesPerCoreSecond: number | null;
    bytes: number;
    unknown: number | null;
  }[];
  unreadable: { path: string }[];
  report: string;
}

/** Squares of one colour, light and dark in an order of the object's own; each `n` has another size. */
async function pattern(color: (typeof colors)[number], object: number, n: number): Promise<Buffer> {
  const pixels = Buffer.alloc(72 * 3, 20);
  for (let at = 0; at < 72; at++) {
    const light = (((at + 1) * (object + 3) * 7919) % 101) / 101;
    pixels[3 * at + colors.indexOf(color)] = 100 + Math.round(150 * light);
  }
  return sharp(pixels, { raw: { width: 9, height: 8, channels: 3 } })
    .resize(90 + n, 80 + n, { fit: 'fill', kernel: 'nearest' })
    .png()
    .toBuffer();
}

describe('model compare', () => {
  let rig: Rig;
  let good: string;
  let poor: string;
  const perObject = 4;
  const objects = 6;
  const byObject = ['--images', 'labelled', '--group-by', '{object}_*'];
  /** The same network with other names for its three outputs. */
  const model = (name: string, labels: string[]) => writeColorModel(join(rig.dir, name), name, labels);

  beforeAll(async () => {
    rig = await Rig.open();
    good = model('good', [...colors]);
    poor = model('poor', ['green', 'red', 'blue']);
    for (const color of colors) {
      const dir = join(rig.dir, 'labelled', color);
      mkdirSync(dir, { recursive: true });
      for (let n = 0; n < objects * perObject; n++) {
        const name = `object${Math.floor(n / perObject)}_${n}.png`;
        writeFileSync(join(dir, name), await pattern(color, Math.floor(n / perObject), n));
      }
    }
    writeFileSync(join(rig.dir, 'labelled/blue/text.jpg'), 'no image');
  });
  afterAll(async () => rig?.[Symbol.asyncDispose]());

  it('tells which one to take, in figures and in a sentence, and writes a page', async () => {
    const found = await rig.json<Compared>([
      'model',
      'compare',
      poor,
      good,
      ...byObject,
      '--out',
      'out/page.html',
    ]);
    const images = 3 * objects * perObject;
    expect(found).toMatchObject({
      recommended: 'good',
      best: 'good',
      images,
      groups: { count: objects, largest: 3 * perObject },
      classes: 3,
      leftOut: [],
      unreadable: [{ path: 'labelled/blue/text.jpg' }],
      report: 'out/page.html',
    });
    expect(found.models.map(({ name, top1 }) => [name, top1])).toEqual([
      ['poor', 1 / 3],
      ['good', 1],
    ]);
    const [loser, winner] = found.models;
    expect(winner!.behind).toBeNull();
    expect(loser!.behind!.mean).toBeCloseTo(2 / 3, 9);
    // Six groups say less than 72 images: of those alone the interval would begin at 95 %.
    expect(winner!.interval95).toEqual({ low: expect.closeTo(0.48, 1) as number, high: 1 });
    expect(loser!.behind!.low).toBeGreaterThan(0);
    for (const { ms, bytes, unknown } of found.models) {
      expect(ms).toBeGreaterThan(0);
      expect(bytes).toBeGreaterThan(100);
      expect(unknown).toBeNull();
    }
    expect(found.recommendation).toMatch(/^Take good: 66\.7 points \([\d.]+ to [\d.]+\) better than poor, /);
    const page = readFileSync(join(rig.dir, 'out/page.html'), 'utf8');
    expect(page).toContain(found.recommendation);
    expect(page).toContain('Only good is right (48)');
    expect(page.match(/data:image\/jpeg;base64,/g)!.length).toBe(12);

    const said = await rig.run(['model', 'compare', poor, good, ...byObject, '--limit', '36']);
    expect(said.code, said.stderr).toBe(0);
    expect(said.stdout).toMatch(/^model +top-1 % +95 % +behind +ms +img\/s\/core +MB\n/);
    expect(said.stdout).toMatch(/\ngood +100\.0 +[\d.]+ to 100\.0 +best /);
    expect(said.stdout).toMatch(/\nTake good: 66\.7 points/);
    expect(said.stdout).toContain('\nReport: comparison.html');
    expect(said.stderr).toContain('rejected  labelled/blue/text.jpg');
  });

  it('judges on the classes that all know, and tells the others', async () => {
    const other = model('other', ['red', 'green', 'violet']);
    const ended = await rig.run(['model', 'compare', good, other, ...byObject, '--json']);
    expect(ended.stderr).toContain('left out: other has no label for blue');
    const found = JSON.parse(ended.stdout) as Compared;
    expect(found).toMatchObject({ images: 2 * objects * perObject, classes: 2, leftOut: ['blue'] });
    expect(found.recommendation).toMatch(/^No difference can be seen with 48 images in 6 groups/);
  });

  it('says where there are too few groups', async () => {
    const one = ['--images', 'labelled', '--group-by', '{all}t*'];
    const found = await rig.json<Compared>(['model', 'compare', good, poor, ...one]);
    expect(found).toMatchObject({ recommended: null, best: 'good', groups: { count: 1 } });
    expect(found.models[0]!.interval95).toBeNull();
    expect(found.recommendation).toContain('Too early to say: 1 of the at least 4 groups');
  });

  it('tells how many a model calls unknown, where it tells', async () => {
    for (const color of colors) {
      mkdirSync(join(rig.dir, 'pale', color), { recursive: true });
      for (const n of [1, 2]) {
        writeFileSync(join(rig.dir, 'pale', color, `object${n}_0.png`), await pattern(color, n, n));
        writeFileSync(join(rig.dir, 'pale', color, `white${n}_0.png`), await colorImage('white', n));
      }
    }
    const telling = writeTellingColorModel(join(rig.dir, 'telling'));
    const found = await rig.json<Compared>(['model', 'compare', good, telling, '--images', 'pale']);
    expect(found.models.map(({ unknown }) => unknown)).toEqual([null, 0.5]);
  });

  it('refuses what cannot be compared, with the fix', async () => {
    const stranger = model('stranger', ['cat', 'dog', 'cow']);
    const refusals: [string[], number, RegExp][] = [
      [[good, stranger, ...byObject], 1, /stranger knows none of the classes in labelled\n.*"blue".*"cat"/],
      [[good, ...byObject], 2, /takes 2 to 10 models/],
      [[good, good, ...byObject], 2, /the same model is given twice/],
      [[good, poor], 2, /--images/],
      [[good, poor, '--images', 'absent'], 2, /absent/],
      [[good, poor, '--images', 'labelled', '--group-by', '{object}-*'], 2, /matches none of the images/],
      [[good, poor, ...byObject, '--out', 'labelled'], 2, /labelled cannot be written/],
    ];
    for (const [args, code, message] of refusals) {
      const refused = await rig.run(['model', 'compare', ...args]);
      expect([refused.code, refused.stdout], refused.stderr).toEqual([code, '']);
      expect(refused.stderr).toMatch(message);
    }
    const moved = await rig.run(['evaluate', 'labelled', '--compare', 'a,b']);
    expect([moved.code, moved.stderr]).toEqual([2, expect.stringContaining('visionscale model compare')]);
  });

  it('ends at Ctrl-C without a page', async () => {
    const args = ['model', 'compare', good, poor, ...byObject, '--out', 'stopped.html'];
    const running = rig.start(args);
    await running.said(/good.*ready/);
    running.process.kill('SIGINT');
    const ended = await running.ended;
    expect(ended.stderr).toContain('interrupted; no report was written');
    expect(ended.code).not.toBe(0);
    expect(() => readFileSync(join(rig.dir, 'stopped.html'))).toThrow('ENOENT');
  });
});
