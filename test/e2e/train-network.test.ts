/** `train --mode scratch` as a user runs it, on drawn shapes; needs TensorFlow. */
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { describeTfjs } from '../support/engines.ts';
import { drawShapes, shapeLabels } from '../support/shapes.ts';
import { thorough, thoroughTitle } from '../support/thorough.ts';

interface Trained {
  top1: number;
  version: string;
  active: boolean;
  reused: boolean;
  interrupted: boolean;
  mode: string;
}

describeTfjs('train --mode scratch', () => {
  let rig: Rig;
  const scratch = ['--mode', 'scratch', '--input-size', '64', '--batch-size', '16'];
  const learned = ['train', 'shapes', '--val', 'others', '--name', 'shapes', ...scratch, '--epochs', '8'];

  beforeAll(async () => {
    rig = await Rig.open();
    for (const [dir, count, seed] of [
      ['shapes', 240, 1],
      ['others', 90, 2],
      ['few', 60, 3],
    ] as const) {
      for (const { path, label } of await drawShapes(join(rig.dir, 'flat'), count, seed)) {
        const folder = join(rig.dir, dir, shapeLabels[label]!);
        await mkdir(folder, { recursive: true });
        await rename(path, join(folder, basename(path)));
      }
    }
  });
  afterAll(() => rig?.[Symbol.asyncDispose]());

  it.runIf(thorough)(
    thoroughTitle('learns three classes from nothing: 95 % of others'),
    { timeout: 300_000 },
    async () => {
      const made = await rig.run([...learned, '--json']);
      expect(made.code, made.stderr).toBe(0);
      expect(made.stderr).toMatch(
        /epoch 8: loss [\d.]+, [\d.]+ % right; hold-out: loss [\d.]+, [\d.]+ % right/,
      );
      const result = JSON.parse(made.stdout) as Trained;
      expect(result.top1).toBeGreaterThanOrEqual(0.95);
      expect(result).toMatchObject({ active: false, interrupted: false, mode: 'scratch' });
      // What it needed while it trained is gone.
      expect(await readdir(join(rig.env['VISIONSCALE_DATA_DIR']!, 'training'))).toEqual([]);
    },
  );

  it.runIf(thorough)(
    thoroughTitle('classifies with it in another process, at its input size'),
    { timeout: 60_000 },
    async () => {
      const { stdout } = await rig.run(['classify', 'others', '--local', '--model', 'shapes', '--json']);
      const rows = stdout.trim().split('\n');
      const right = rows.filter((line) => {
        const { image, category } = JSON.parse(line) as { image: string; category: string };
        return image.startsWith(`${category}/`);
      });
      expect(rows).toHaveLength(90);
      expect(right.length / rows.length).toBeGreaterThanOrEqual(0.95);
    },
  );

  it.runIf(thorough)(
    thoroughTitle('keeps the best epoch after Ctrl-C, and goes on with --resume'),
    { timeout: 120_000 },
    async () => {
      const args = ['train', 'few', '--name', 'few', ...scratch, '--epochs', '4'];
      const running = rig.start([...args, '--json']);
      await running.said(/epoch 1: /);
      running.process.kill('SIGINT');
      const ended = await running.ended;
      expect(ended.code, ended.stderr).toBe(130);
      const kept = JSON.parse(ended.stdout) as Trained;
      expect(kept.interrupted).toBe(true);
      const resumed = await rig.run([...args, '--resume', '--json']);
      expect(resumed.code, resumed.stderr).toBe(0);
      expect(resumed.stderr).toMatch(/resuming after epoch \d+ of 4/);
      expect(JSON.parse(resumed.stdout)).toMatchObject({ interrupted: false, reused: false });
      const place = join(rig.env['VISIONSCALE_DATA_DIR']!, 'training', 'few');
      await expect(stat(place)).rejects.toThrow('ENOENT');
    },
  );
});
