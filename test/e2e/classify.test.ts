/** `classify --local`: a directory's labels with nothing around it, and what hostile files and models come to. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { binary, type Ended, Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { blackPng } from '../support/png.ts';
import { describeWith, testData } from '../support/servers.ts';
import { itThorough, thorough, thoroughTitle } from '../support/thorough.ts';
import { tinyManifest, tinyWeights } from '../support/tiny-models.ts';

interface Line {
  image: string;
  category: string;
  confidence: number;
  top: { category: string; confidence: number }[];
  model: string;
  modelDigest: string;
}

const lines = ({ stdout }: Ended) =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

/** Prints the most memory the process has held, in KiB, when it ends. */
const tellMemory =
  '--import=data:text/javascript,process.on(%22exit%22,()=>process._rawDebug(%22maxRSS=%22+process.resourceUsage().maxRSS))';

function peakMebibytes({ stderr }: Ended): number {
  const told = [...stderr.matchAll(/maxRSS=(\d+)/g)].map((match) => Number(match[1]));
  expect(told.length).toBeGreaterThan(0);
  return Math.max(...told) / 1024;
}

async function colorRig(): Promise<Rig> {
  const rig = await Rig.open();
  rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
  mkdirSync(join(rig.dir, 'images/below'), { recursive: true });
  for (let n = 0; n < 9; n++) {
    const name = `${n % 2 ? 'below/' : ''}${colors[n % 3]} ${n}.${n < 6 ? 'png' : 'jpeg'}`;
    const image = await colorImage(colors[n % 3]!, n, n < 6 ? 'png' : 'jpeg');
    writeFileSync(join(rig.dir, 'images', name), image);
  }
  return rig;
}

describe('classify --local', () => {
  it('prints a line for each image in the order of the paths', async () => {
    await using rig = await colorRig();
    const ended = await rig.run(['classify', 'images', '--local', '--json']);
    expect([ended.code, ended.stderr]).toEqual([0, expect.stringContaining('classified 9 images')]);
    const found = lines(ended);
    const images = found.map(({ image }) => image);
    expect(images).toHaveLength(9);
    expect(images).toEqual(images.toSorted());
    expect(images).toContain('below/green 1.png');
    for (const { image, category, confidence, top, model, modelDigest } of found) {
      expect(basename(image)).toMatch(new RegExp(`^${category} `));
      expect(top[0]).toEqual({ category, confidence });
      expect(top).toHaveLength(3);
      expect(confidence).toBeGreaterThan(100 / 3);
      expect(model).toBe('colors');
      expect(modelDigest).toMatch(/^sha256:[0-9a-f]{64}$/);
    }
  });

  itThorough('prints a table, chooses files, and takes IMG_DIR', async () => {
    await using rig = await colorRig();
    const env = { IMG_DIR: 'images' };
    const table = await rig.run(['classify', '--local', '--include', '*.png', '--exclude', 'below/'], env);
    expect(table.code).toBe(0);
    const [title, ...rows] = table.stdout.trimEnd().split('\n');
    expect(title).toMatch(/^image +category +%$/);
    expect(rows.map((row) => row.split(/ {2,}/).slice(0, 2))).toEqual([
      ['blue 2.png', 'blue'],
      ['green 4.png', 'green'],
      ['red 0.png', 'red'],
    ]);
    const two = await rig.run(['classify', '--local', '--json', '--limit', '2'], env);
    expect(lines(two).map(({ image }) => image)).toEqual(['below/blue 5.png', 'below/green 1.png']);
    const one = await rig.run(['classify', 'images/red 0.png', '--local', '--json', '--preprocess', 'fast']);
    expect(lines(one)).toMatchObject([{ image: 'red 0.png', category: 'red' }]);
  });

  it('needs neither database nor topic nor store, and leaves nothing behind', async () => {
    await using rig = await colorRig();
    const unreachable = { DATABASE_URL: 'postgres://127.0.0.1:9/db', KAFKA_BROKERS: '127.0.0.1:9' };
    expect((await rig.run(['classify', 'images', '--local'], unreachable)).code).toBe(0);
    expect(() => readFileSync(join(rig.dir, 'data'))).toThrow(/ENOENT/);
  });

  it('writes a page of the pictures with their labels, whatever their names are', async () => {
    await using rig = await colorRig();
    const hostile = '<img onerror=alert(1)> red.png';
    writeFileSync(join(rig.dir, 'images', hostile), await colorImage('red', 1));
    const ended = await rig.run(['classify', 'images', '--local', '--html', 'page.html']);
    expect([ended.code, ended.stderr]).toEqual([0, expect.stringMatching(/10 images .*; page: page\.html/)]);
    const page = readFileSync(join(rig.dir, 'page.html'), 'utf8');
    expect(page.match(/<img[^>]* src="data:image\/jpeg;base64,[^"]{100}/g)).toHaveLength(10);
    expect(page).toContain('&#60;img onerror=alert(1)&#62; red.png');
    expect(page).not.toContain('<img onerror');
    const again = await rig.run(['classify', 'images', '--local', '--html', 'page.html']);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('page.html already exists')]);
    const server = await rig.run([
      'classify',
      'images',
      '--server',
      'http://127.0.0.1:9',
      '--html',
      'x.html',
    ]);
    expect([server.code, server.stderr]).toEqual([2, expect.stringContaining('--html goes with --local')]);
  });

  it('names the file that it could not write', async () => {
    await using rig = await colorRig();
    // A limit of the process stands for a disk that fills while images are classified.
    const run = 'ulimit -f 0; exec "$0" "$@"';
    for (const flags of [
      ['--out', 'labels.csv'],
      ['--html', 'page.html'],
    ]) {
      const args = ['-c', run, process.execPath, binary, 'classify', 'images', '--local', ...flags];
      const { stderr, status } = spawnSync('sh', args, { cwd: rig.dir, env: rig.env, encoding: 'utf8' });
      expect([status, stderr]).toEqual([
        1,
        expect.stringMatching(
          `visionscale: ${flags[1]} cannot be written: EFBIG: [^\n]*\n  Choose a place.*\n$`,
        ),
      ]);
      expect(existsSync(join(rig.dir, flags[1]!))).toBe(false);
    }
  });

  it('tells bad files at the end, classifies the rest, exits 1 and keeps its memory small', async () => {
    await using rig = await colorRig();
    const bad = (name: string, content: string | Buffer) =>
      writeFileSync(join(rig.dir, 'images', name), content);
    const bomb = blackPng(10_000, 10_000);
    expect(bomb.length).toBeLessThan(200_000);
    bad('100 megapixels.png', bomb);
    bad('empty.jpg', '');
    const jpeg = await sharp({
      create: {
        width: 900,
        height: 700,
        channels: 3,
        background: 'red',
        noise: { type: 'gaussian', sigma: 30 },
      },
    })
      .jpeg()
      .toBuffer();
    bad('half.jpg', jpeg.subarray(0, jpeg.length / 2));
    bad('drawing.svg', '<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>');
    bad('text.jpg', 'not an image at all');
    const reasons = {
      '100 megapixels.png': /10000×10000 pixels, more than the limit/,
      'drawing.svg': /svg\+xml images are not supported/,
      'empty.jpg': /the file is empty/,
      'half.jpg': /ends before its pixels do/,
      'text.jpg': /the content is not an image/,
    };
    for (const mode of thorough ? ['exact', 'fast'] : ['exact']) {
      const ended = await rig.run(['classify', 'images', '--local', '--json', '--preprocess', mode], {
        NODE_OPTIONS: tellMemory,
      });
      expect(ended.code).toBe(1);
      expect(lines(ended)).toHaveLength(9);
      const rejected = ended.stderr.split('\n').filter((line) => line.startsWith('rejected'));
      expect(rejected).toHaveLength(5);
      Object.entries(reasons).forEach(([name, reason], i) => {
        expect(rejected[i]).toContain(`images/${name}: `);
        expect(rejected[i]).toMatch(reason);
      });
      expect(ended.stderr).not.toMatch(/\n\s+at /);
      expect(peakMebibytes(ended)).toBeLessThan(500);
    }
    bad('notes.txt', 'no image, and passed over');
    if (!thorough) return;
    const table = await rig.run(['classify', 'images', '--local']);
    expect(table.stderr).toContain(
      'rejected 5 files\npassed over 1 file that is not an image by name (.txt)',
    );
    expect([table.code, table.stdout]).toEqual([1, expect.stringMatching(/rejected {2}images\/text\.jpg/)]);
  });

  it.runIf(thorough).each([
    ['two inputs', 'twoInputs', 'red\ngreen\nblue\n', /a classifier has one of each|inputs image, other/],
    ['a label too many', 'mean', 'red\ngreen\nblue\nwhite\n', /3 classes, but there are 4 labels/],
    ['a label too few', 'mean', 'red\ngreen\n', /3 classes, but there are 2 labels/],
  ] as const)(thoroughTitle('refuses a model with %s'), async (_, weights, labels, message) => {
    await using rig = await colorRig();
    const model = join(rig.dir, 'bad model');
    mkdirSync(model);
    writeFileSync(join(model, 'model.onnx'), tinyWeights(weights));
    writeFileSync(join(model, 'labels.txt'), labels);
    writeFileSync(join(model, 'model.json'), JSON.stringify(tinyManifest));
    const ended = await rig.run(['classify', 'images', '--local', '--model', model], {
      NODE_OPTIONS: tellMemory,
    });
    expect([ended.code, ended.stdout]).toEqual([1, '']);
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).not.toMatch(/\n\s+at /);
    expect(peakMebibytes(ended)).toBeLessThan(500);
  });

  it('says what it needs', async () => {
    await using rig = await colorRig();
    for (const [args, code, message] of [
      [['classify', '--local'], 2, /needs a directory of images/],
      [['classify', 'images'], 2, /--local/],
      [['classify', 'nowhere', '--local'], 2, /no such file or directory: nowhere/],
      [['classify', 'images', '--local', '--preprocess', 'quick'], 2, /--preprocess.*exact or fast/],
    ] as const) {
      const ended = await rig.run([...args]);
      expect(ended.stderr).toMatch(message);
      expect([ended.code, ended.stdout]).toEqual([code, '']);
    }
  });

  it('ends soon when it is interrupted', async () => {
    await using rig = await colorRig();
    const { PATH } = rig.env;
    const image = await colorImage('red', 1);
    for (let n = 0; n < 3000; n++) writeFileSync(join(rig.dir, 'images', `${n}.png`), image);
    const running = rig.start(['classify', 'images', '--local', '--json', '--workers', '1'], { PATH: PATH! });
    running.process.stdout!.once('data', () => running.process.kill('SIGINT'));
    const ended = await running.ended;
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining('interrupted')]);
    expect(lines(ended).length).toBeLessThan(3009);
  });
});

describeWith('test data', 'classify --local on photographs', (root) => {
  const data = testData(root);
  const golden = JSON.parse(readFileSync(data.golden, 'utf8')) as Record<
    string,
    { category: string; confidence: number }[]
  >;

  it.each([
    ['exact', 199],
    ['fast', 194],
  ])('%s agrees with the reference in at least %i of 200', async (mode, least) => {
    await using rig = await Rig.open({ VISIONSCALE_MODEL: data.model, VISIONSCALE_ENGINE: 'onnx' });
    const ended = await rig.run(['classify', data.photographs, '--local', '--json', '--preprocess', mode], {
      NODE_OPTIONS: tellMemory,
    });
    // The golden file is no image, as its name says.
    const passedOver = 'passed over 1 file that is not an image by name (.json)';
    expect([ended.code, ended.stderr]).toEqual([0, expect.stringContaining(passedOver)]);
    const found = lines(ended);
    expect(found).toHaveLength(200);
    const best = (line: Line) => golden[line.image]![0]!;
    const right = found.filter((line) => line.category === best(line).category);
    expect(right.length).toBeGreaterThanOrEqual(least);
    if (mode === 'exact') {
      const apart = found.reduce((sum, line) => sum + Math.abs(line.confidence - best(line).confidence), 0);
      expect(apart / 200).toBeLessThan(0.1);
    }
    expect(peakMebibytes(ended)).toBeLessThan(500);
  });
});
