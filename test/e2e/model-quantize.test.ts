/** `model quantize` as a user runs it: from a model of the store to one that may, or may not, become the active one. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { randomNumbers, writeConvModel, writeModelDirectory } from '../support/conv-model.ts';
import { depthwiseModel } from '../support/depthwise-model.ts';
import { itThorough } from '../support/thorough.ts';

interface Report {
  name: string;
  digest: string;
  parent: string;
  eligible: boolean;
  speedRatio: number;
  comparison: { images: number; agreement: number };
}

describe('model quantize', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await Rig.open();
    rig.env.VISIONSCALE_MODELS = join(rig.dir, 'models');
    // Classes so close that int8 changes answers.
    await writeConvModel(join(rig.dir, 'conv'), 400, 0.003);
    await mkdir(join(rig.dir, 'images'));
    const numbers = randomNumbers(5);
    for (let i = 0; i < 60; i++) {
      const data = Uint8Array.from(numbers(36 * 36 * 3), (value) => 128 + 127 * value);
      const raw = { width: 36, height: 36, channels: 3 } as const;
      await sharp(data, { raw })
        .png()
        .toFile(join(rig.dir, 'images', `${i}.png`));
    }
    const added = await rig.run(['model', 'add', 'conv']);
    expect(added.code, added.stderr).toBe(0);
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  it('installs a model that may become the active one', async () => {
    const args = ['model', 'quantize', 'conv', '--images', 'images', '--min-agreement', '0', '--json'];
    const made = await rig.run(args);
    expect(made.code, made.stderr).toBe(0);
    const report = JSON.parse(made.stdout) as Report;
    expect(report).toMatchObject({ name: 'conv-int8', eligible: true, comparison: { images: 30 } });
    expect(report.speedRatio).toBeGreaterThan(0);
    const shown = await rig.run(['model', 'show', 'conv-int8', '--json']);
    expect(shown.stdout).toContain(report.parent);
    const used = await rig.run(['model', 'use', 'conv-int8']);
    expect(used.code, used.stderr).toBe(0);
  });

  it('takes a mobile network as it is exported, and refuses one by its operator', async () => {
    await writeModelDirectory(join(rig.dir, 'mobile'), depthwiseModel(20), 20);
    await writeModelDirectory(join(rig.dir, 'gated'), depthwiseModel(20, 'HardSwish'), 20);
    for (const model of ['mobile', 'gated']) {
      const added = await rig.run(['model', 'add', model, '--name', model]);
      expect(added.code, added.stderr).toBe(0);
    }
    const made = await rig.run([
      'model',
      'quantize',
      'mobile',
      '--images',
      'images',
      '--min-agreement',
      '0.8',
    ]);
    expect(made.code, made.stderr).toBe(0);
    expect(made.stdout).toMatch(/Use it: visionscale model use mobile-int8@/);
    const refused = await rig.run(['model', 'quantize', 'gated', '--images', 'images']);
    expect([refused.code, refused.stdout]).toEqual([1, '']);
    expect(refused.stderr).toContain('the model has operators that do not compute well in int8: HardSwish\n');
  });

  itThorough('installs one that agrees too little, but does not let it become the active one', async () => {
    const args = [
      'model',
      'quantize',
      'conv',
      '--images',
      'images',
      '--name',
      'strict',
      '--min-agreement',
      '1',
    ];
    const made = await rig.run(args);
    expect(made.code, made.stderr).toBe(0);
    expect(made.stdout).toMatch(/installed strict@\w+: int8, calibrated on 30 images/);
    expect(made.stdout).toMatch(/cannot become the active model: its agreement is below 100\.0 %/);
    const refused = await rig.run(['model', 'use', 'strict']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/less than 100\.0 %/);
    const forced = await rig.run(['model', 'use', 'strict', '--force']);
    expect(forced.code, forced.stderr).toBe(0);
  });

  itThorough('says what is wrong', async () => {
    const nothing = await rig.run(['model', 'quantize', 'conv', '--images', 'absent']);
    expect([nothing.code, nothing.stdout]).toEqual([2, '']);
    expect(nothing.stderr).toContain('no such file or directory: absent');
    const unknown = await rig.run(['model', 'quantize', 'unknown', '--images', 'images']);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('there is no model "unknown"');
  });
});
