/** `bench`: the shape and sanity of what it prints; speed is its own business. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BenchResult } from '../../src/lib/local/bench/bench.ts';
import type { SimulateResult } from '../../src/lib/local/bench/simulate/simulate.ts';
import { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { itThorough } from '../support/thorough.ts';

async function benchRig(): Promise<Rig> {
  const rig = await Rig.open();
  const temporary = join(rig.dir, 'tmp');
  mkdirSync(temporary);
  Object.assign(rig.env, { VISIONSCALE_MODEL: writeColorModel(join(rig.dir, 'model')), TMPDIR: temporary });
  return rig;
}

describe('bench', () => {
  it('measures the stages asked for, and leaves nothing', async () => {
    await using rig = await benchRig();
    const images = join(rig.dir, 'images');
    mkdirSync(images);
    for (let n = 0; n < 6; n++) writeFileSync(join(images, `${n}.png`), await colorImage(colors[n % 3]!, n));
    const args = ['bench', images, '--stages', 'decode,infer', '--seconds', '0.1'];
    const result = await rig.json<BenchResult>(args);
    expect(result).toMatchObject({ model: { name: 'colors' }, images: { count: 6, directory: images } });
    expect(new Set(result.figures.map(({ stage }) => stage))).toEqual(new Set(['decode', 'infer']));
    for (const figure of result.figures) expect(figure.rate, figure.name).toBeGreaterThan(0);
    expect(readdirSync(join(rig.dir, 'tmp'))).toEqual([]);
    expect(readdirSync(rig.dir)).not.toContain('data');
  });

  itThorough(
    'measures every stage on a folder, and agreement with its golden file',
    async () => {
      await using rig = await benchRig();
      const images = join(rig.dir, 'images');
      mkdirSync(images);
      const golden: Record<string, { category: string; confidence: number }[]> = {};
      for (let n = 0; n < 6; n++) {
        const color = colors[n % 3]!;
        writeFileSync(join(images, `${n}.png`), await colorImage(color, n));
        // One of them is wrong: the share must show it.
        golden[`${n}.png`] = [{ category: n === 0 ? 'blue' : color, confidence: 50 }];
      }
      writeFileSync(join(images, 'golden-top5.json'), JSON.stringify(golden));
      const result = await rig.json<BenchResult>(['bench', images, '--seconds', '0.2', '--workers', '2']);
      expect(result).toMatchObject({
        model: { name: 'colors' },
        workers: 2,
        images: { count: 6, directory: images },
      });
      expect(result.machine.cores).toBeGreaterThan(0);
      expect(new Set(result.figures.map(({ stage }) => stage))).toEqual(
        new Set(['decode', 'preprocess', 'infer', 'workers', 'produce', 'consume', 'end-to-end']),
      );
      for (const figure of result.figures) {
        expect(figure.count, figure.name).toBeGreaterThan(0);
        expect(figure.rate, figure.name).toBeGreaterThan(0);
        expect(figure.cores, figure.name).toBeGreaterThan(0);
        if (figure.medianMs !== null) expect(figure.p99Ms).toBeGreaterThanOrEqual(figure.medianMs);
      }
      const { findings } = result;
      for (const name of ['rooflineBefore', 'rooflineAfter', 'rooflineRatio', 'eventLoopDelayMaxMs'])
        expect(findings[name], name).toBeGreaterThan(0);
      expect(findings['top-1, exact with golden']).toBeCloseTo(5 / 6);
      expect(findings['top-1, fast with exact']).toBe(1);
      if (result.engine === 'onnx') expect(findings['overheadOverBare']).toBeGreaterThan(-1);
      expect(result.peakMemoryBytes).toBeGreaterThan(2 ** 20);
      // The scratch place is gone, and the data directory was never touched.
      const left = readdirSync(join(rig.dir, 'tmp'));
      // node-pg-migrate's loader keeps a cache there. What ONNX Runtime's telemetry would leave is not there either.
      expect(left.filter((name) => name !== 'jiti')).toEqual([]);
      expect(readdirSync(rig.dir)).not.toContain('data');
    },
    180_000,
  );

  itThorough(
    'simulates consumers that share partitions, says what bounds them, and leaves nothing',
    async () => {
      await using rig = await benchRig();
      const args = ['bench', '--simulate', '--partitions', '5', '--consumers', '2', '--count', '3000'];
      const result = await rig.json<SimulateResult>(args);
      expect(result).toMatchObject({ partitions: 5, consumers: 2, load: { messages: 3000 } });
      const { idle, load, bound } = result;
      for (const value of [idle.cores, idle.memoryBytes, idle.connections, load.rows, load.rowsPerSecond])
        expect(value).toBeGreaterThan(0);
      expect(load.rowsPerTransaction).toBeGreaterThanOrEqual(1);
      expect(load.rows).toBeLessThanOrEqual(3000);
      expect(bound).toMatch(/^the (processor|consumers|topic|database): /);
      const left = readdirSync(join(rig.dir, 'tmp'));
      expect(left.filter((name) => name !== 'jiti')).toEqual([]);
      const wrong = await rig.run(['bench', '--simulate', '--stages', 'infer']);
      expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('--stages')]);
    },
    180_000,
  );

  itThorough('ends a simulation when it is told to, in one word, and leaves nothing', async () => {
    await using rig = await benchRig();
    const running = rig.start(['bench', '--simulate', '--partitions', '2', '--consumers', '1']);
    await running.said(/idle/);
    running.process.kill('SIGINT');
    const { code, stdout, stderr } = await running.ended;
    expect([code, stdout]).toEqual([130, '']);
    expect(stderr).toMatch(/^visionscale: interrupted$/m);
    expect(stderr).not.toMatch(/unexpected|AbortError/);
    expect(readdirSync(join(rig.dir, 'tmp')).filter((name) => name !== 'jiti')).toEqual([]);
  });

  itThorough('draws images where no folder is given, and runs the stages asked for', async () => {
    await using rig = await benchRig();
    const args = ['bench', '--stages', 'preprocess,decode', '--seconds', '0.1'];
    const result = await rig.json<BenchResult>(args);
    expect(result.images).toMatchObject({ directory: null });
    expect(result.images.count).toBeGreaterThan(10);
    expect(result.figures.map(({ stage }) => stage)).toEqual([
      'decode',
      'preprocess',
      'preprocess',
      'preprocess',
    ]);
    const text = await rig.run(args);
    expect([text.code, text.stdout]).toEqual([0, expect.stringMatching(/decode to input, fast +\d/)]);
  });

  itThorough('says what it needs', async () => {
    await using rig = await benchRig();
    for (const [args, message] of [
      [['bench', '--stages', 'decode,encode'], /--stages.*end-to-end/],
      [['bench', 'nowhere'], /no such file or directory/],
      [['bench', '--seconds', '0'], /--seconds/],
    ] as const) {
      const ended = await rig.run([...args]);
      expect(ended.stderr).toMatch(message);
      expect([ended.code, ended.stdout]).toEqual([2, '']);
    }
    const empty = join(rig.dir, 'empty');
    mkdirSync(empty);
    const ended = await rig.run(['bench', empty]);
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringContaining('there is no image')]);
  });
});
