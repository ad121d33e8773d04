/** The demo: everything on this machine, once; and nothing of it left behind, however it ends. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { nothingLeft, processesOf } from '../support/processes.ts';
import { describeWith, testData } from '../support/servers.ts';
import { itThorough, thorough, thoroughTitle } from '../support/thorough.ts';

interface DemoDocument {
  images: number;
  predictions: number;
  deadLetters: number;
  imagesPerSecond: number;
  latencyMs: { p50: number; p99: number };
  firstPredictionSeconds: number;
  classifyMs: number;
  /** Path of an HTML page. */
  page: string;
  categories: { category: string; images: number }[];
  rejected: { path: string }[];
}

interface PartsDocument extends DemoDocument {
  model: string;
  accuracy: number;
  right: number;
  mistakes: { imageKey: string }[];
}

async function writeImages(dir: string, count: number): Promise<void> {
  mkdirSync(dir, { recursive: true });
  for (let n = 0; n < count; n++) writeFileSync(join(dir, `${n}.png`), await colorImage(colors[n % 3]!, n));
}

async function demoRig(): Promise<Rig> {
  const rig = await Rig.open();
  rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
  await writeImages(join(rig.dir, 'images'), 30);
  return rig;
}

describe('demo', () => {
  it('classifies a directory, and the same directory again', async () => {
    await using rig = await demoRig();
    for (const _ of thorough ? [1, 2] : [1]) {
      const result = await rig.json<DemoDocument>(['demo', 'images']);
      expect(result).toMatchObject({ images: 30, predictions: 30, deadLetters: 0, rejected: [] });
      expect(Object.fromEntries(result.categories.map((c) => [c.category, c.images]))).toEqual({
        red: 10,
        green: 10,
        blue: 10,
      });
      expect(result.imagesPerSecond).toBeGreaterThan(0);
      expect(result.latencyMs.p99).toBeGreaterThanOrEqual(result.latencyMs.p50);
      expect(result.classifyMs).toBeGreaterThan(0);
      const page = readFileSync(result.page, 'utf8');
      expect(page.match(/<img[^>]* src="data:image\/jpeg;base64,[^"]{100}/g)).toHaveLength(30);
    }
    await nothingLeft(rig.dir);
  });

  itThorough('tells a person what came of it, and what to try next', async () => {
    await using rig = await demoRig();
    const report = await rig.run(['demo', 'images']);
    expect(report.stdout).toContain('30 predictions and 0 dead letters for 30 images');
    expect(report.stdout).toContain('What to try next');
    expect(report.stdout).toContain(`\n  ${join(rig.dir, 'data', 'demo.html')}\n`);
    await nothingLeft(rig.dir);

    // The last two lines are a command and an address: what it shows there is this demo's.
    const [command, last] = report.stdout.trim().split('\n').slice(-2);
    const { env, dir } = rig;
    const asked = `up --data-dir '${env['VISIONSCALE_DATA_DIR']}' --model '${env['VISIONSCALE_MODEL']}'`;
    expect(command).toBe(`  npx visionscale ${asked}`);
    expect(last).toMatch(
      /^and open the address that it names: http:\/\/127\.0\.0\.1:\d+ if that port is free$/,
    );
    const up = rig.start(['up', '--json'], { VISIONSCALE_HTTP_PORT: '0' });
    let told = '';
    up.process.stdout!.on('data', (chunk: string) => (told += chunk));
    await up.printed(1);
    const { server } = JSON.parse(told) as { server: string };
    const get = async (path: string) => fetch(new URL(path, server));
    const status = (await (await get('/v1/status')).json()) as { predictions: number };
    expect(status.predictions).toBe(30);
    const { results } = (await (await get('/v1/results?limit=48')).json()) as {
      results: { imageKey: string }[];
    };
    expect(results).toHaveLength(30);
    const picture = await get(`/v1/picture?side=192&key=${encodeURIComponent(results[0]!.imageKey)}`);
    expect([picture.status, picture.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
    up.process.kill('SIGTERM');
    expect((await up.ended).code).toBe(0);
    await nothingLeft(dir);
  });

  itThorough('runs twice at once in one data directory, and each reports its own images', async () => {
    await using rig = await demoRig();
    await writeImages(join(rig.dir, 'others'), 12);
    const first = rig.start(['demo', 'images', '--json']);
    await first.said(/ready|started/);
    const up = await rig.run(['up']);
    expect([up.code, up.stderr]).toEqual([1, expect.stringContaining('a demo is running in')]);
    const second = await rig.run(['demo', 'others', '--json']);
    expect(second.stderr).toMatch(/another demo \(process \d+\) is running in .*: this one uses .*demo-2/);
    const documents = [(await first.ended).stdout, second.stdout].map(
      (text) => JSON.parse(text) as DemoDocument,
    );
    expect(documents.map(({ images, predictions }) => [images, predictions])).toEqual([
      [30, 30],
      [12, 12],
    ]);
    await nothingLeft(rig.dir);
  });

  itThorough('runs twice at once with different data directories', async () => {
    await using rig = await demoRig();
    const both = await Promise.all(
      ['one', 'two'].map((name) =>
        rig.json<DemoDocument>(['demo', 'images', '--data-dir', join(rig.dir, name)]),
      ),
    );
    expect(both.map((result) => result.predictions)).toEqual([30, 30]);
    await nothingLeft(rig.dir);
  });

  // Looking into other processes takes /proc.
  it.runIf(process.platform === 'linux' && thorough).each(['SIGINT', 'SIGKILL'] as const)(
    thoroughTitle('leaves no process behind after %s'),
    async (signal) => {
      await using rig = await demoRig();
      const running = rig.start(['demo', 'images']);
      await running.said(/started 3 consumers/);
      expect(processesOf(rig.dir).length).toBeGreaterThan(3);
      running.process.kill(signal);
      expect((await running.ended).code).not.toBe(0);
      await nothingLeft(rig.dir);
      // And what is there is good for another run.
      expect(await rig.json(['demo', 'images'])).toMatchObject({ predictions: 30 });
    },
  );

  it('says what it needs for a directory of images', async () => {
    await using rig = await Rig.open();
    const { code, stderr } = await rig.run(['demo', '.']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('--model')]);
    expect(stderr).toContain('model pull squeezenet1_1');
    // The model that comes along is named with what it knows, and is not taken by itself.
    expect(stderr).toMatch(/belt-parts.* only recognises .*parts.*not photographs/);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

describe('demo without a directory', () => {
  itThorough(
    'draws parts, names nearly all of them, and shows which; a second time needs no upload',
    async () => {
      await using rig = await Rig.open();
      const first = await rig.json<PartsDocument>(['demo']);
      expect(first).toMatchObject({ images: 300, predictions: 300, deadLetters: 0, rejected: [] });
      expect(first.model).toBe('belt-parts');
      expect(first.accuracy).toBeGreaterThanOrEqual(0.97);
      expect(first.right).toBe(Math.round(first.accuracy * 300));
      expect(first.mistakes).toHaveLength(300 - first.right);
      const rows = await rig.json<{ imageKey: string; category: string }[]>(['results', '--limit', '1000']);
      expect(rows).toHaveLength(300);
      const truth = ({ imageKey }: { imageKey: string }) => imageKey.split('/')[1];
      expect(rows.filter((row) => row.category === truth(row))).toHaveLength(first.right);
      const page = readFileSync(first.page, 'utf8');
      expect(page.match(/<img[^>]* src="data:image\/jpeg;base64,[^"]{1000}/g)).toHaveLength(300);
      expect(page).toContain(`${first.right} of 300 parts classified correctly`);

      const second = await rig.run(['demo']);
      expect([second.code, second.stderr]).toEqual([
        0,
        expect.stringContaining('uploaded 0 images, 300 already there'),
      ]);
      expect(second.stdout).toContain(`${first.right} of 300 parts classified correctly`);
      expect(second.stdout).toContain(first.page);
      await nothingLeft(rig.dir);
    },
    180_000,
  );

  itThorough('takes another model only where it knows the parts', async () => {
    await using rig = await Rig.open();
    rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
    const running = rig.start(['demo']);
    await running.said(/has no labels for parts on a belt: using the bundled model/);
    running.process.kill('SIGINT');
    expect((await running.ended).code).not.toBe(0);
    await nothingLeft(rig.dir);
  });

  itThorough('says what the bundled model knows before it labels images of somebody', async () => {
    await using rig = await demoRig();
    const { code, stdout, stderr } = await rig.run(['demo', 'images', '--model', 'belt-parts']);
    expect(code).toBe(0);
    for (const text of [stdout, stderr])
      expect(text).toMatch(/belt-parts.* only recognises .*not photographs/);
  });
});

describeWith('test data', 'demo on photographs', (root) => {
  it('agrees with the reference in at least 195 of 200', async () => {
    const data = testData(root);
    await using rig = await Rig.open({ VISIONSCALE_MODEL: data.model });
    // Read-only directories are copied so that nothing depends on their place.
    const images = join(rig.dir, 'photographs');
    cpSync(data.photographs, images, { recursive: true });
    const result = await rig.json<DemoDocument>(['demo', images]);
    expect(result).toMatchObject({ images: 200, predictions: 200, deadLetters: 0 });
    expect(result).toMatchObject({ rejected: [], passedOver: 1, passedOverKinds: { '.json': 1 } });
    // The aim is 10 s; a test holds ten times that.
    expect(result.firstPredictionSeconds).toBeLessThan(100);
    const golden = JSON.parse(readFileSync(data.golden, 'utf8')) as Record<string, { category: string }[]>;
    const rows = await rig.json<{ imageKey: string; category: string }[]>(['results', '--limit', '1000']);
    const right = rows.filter((row) => golden[row.imageKey]?.[0]?.category === row.category);
    expect(rows).toHaveLength(200);
    expect(right.length).toBeGreaterThanOrEqual(195);
  }, 180_000);
});
