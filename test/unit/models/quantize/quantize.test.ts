import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engines } from '../../../../src/lib/models/classifier/engines/engines.ts';
import { loadModel } from '../../../../src/lib/models/format/model.ts';
import { defaultLimits } from '../../../../src/lib/models/images/limits.ts';
import { parseOnnx, serializeOnnx } from '../../../../src/lib/models/onnx/onnx.ts';
import { spread } from '../../../../src/lib/models/quantize/images.ts';
import { quantize, type QuantizeEvent, type QuantizeOptions, needsReducedRange } from '../../../../src/lib/models/quantize/quantize.ts';
import { convModel, randomNumbers, writeConvModel } from '../../../support/conv-model.ts';
import { describeWith, testData } from '../../../support/servers.ts';
import { itThorough } from '../../../support/thorough.ts';
import { writeTinyModel } from '../../../support/tiny-models.ts';

const common = { limits: defaultLimits, autoOrient: true };
const never = new AbortController().signal;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'visionscale-quantize-'));
  await writeConvModel(join(directory, 'model'), 6);
  await writeNoise(join(directory, 'images'), 20, 1);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Images of coloured noise, all different. */
async function writeNoise(to: string, count: number, seed: number): Promise<void> {
  await mkdir(to, { recursive: true });
  const numbers = randomNumbers(seed);
  for (let i = 0; i < count; i++) {
    const [r, g, b] = numbers(3) as unknown as [number, number, number];
    const data = Uint8Array.from(
      numbers(40 * 40 * 3),
      (value, at) => 128 + 60 * value + 67 * [r, g, b][at % 3]!,
    );
    await sharp(data, { raw: { width: 40, height: 40, channels: 3 } })
      .png()
      .toFile(join(to, `${i}.png`));
  }
}

describe('quantize', () => {
  const attempt = async (options: Partial<QuantizeOptions>, signal = never) => {
    const events: QuantizeEvent[] = [];
    const model = await loadModel(join(directory, 'model'));
    const images = join(directory, 'images');
    const made = await quantize(
      model,
      { ...common, images, ...options },
      (event) => events.push(event),
      signal,
    );
    return { made, events };
  };

  it('calibrates on one half of the images and compares on the other', async () => {
    const { made, events } = await attempt({});
    expect([made.calibrated, made.comparison.images, made.rejected]).toEqual([10, 10, []]);
    expect(made.comparison.agreement).toBeGreaterThanOrEqual(0.8);
    expect(events.filter(({ type }) => type !== 'image')).toEqual([
      { type: 'calibrating', images: 10 },
      { type: 'comparing', images: 10 },
    ]);
    expect(events.filter(({ type }) => type === 'image')).toHaveLength(20);
    expect(Math.min(made.milliseconds.parent, made.milliseconds.quantized)).toBeGreaterThan(0);
    const operators = new Set(parseOnnx(made.weights).graph.node.map(({ opType }) => opType));
    expect(operators).toContain('QuantizeLinear');
  });

  itThorough('makes a model that WebAssembly computes, too', async () => {
    const { made } = await attempt({ limit: 6 });
    const input = randomNumbers(3)(3 * 32 * 32);
    const found: Float32Array[] = [];
    for (const engine of ['onnx', 'wasm'] as const) {
      await using session = await engines[engine].open(made.weights, { side: 32 });
      found.push((await session.run(input, 1)).scores.slice());
    }
    for (const [i, score] of found[0]!.entries()) expect(found[1]![i]).toBeCloseTo(score, 2);
  });

  itThorough('passes over what is no image, and judges labels by folder', async () => {
    const labelled = join(directory, 'labelled');
    await writeNoise(join(labelled, 'class 0'), 3, 11);
    await writeNoise(join(labelled, 'class 5'), 3, 12);
    await writeFile(join(labelled, 'class 5', 'notes.txt'), 'no image by name');
    await writeFile(join(labelled, 'class 5', 'notes.jpg'), 'no image');
    const { made } = await attempt({ limit: 4, labelled });
    expect(made.labelled!.labelled!.images).toBe(6);
    expect(made.rejected.map(({ path }) => path)).toEqual([join(labelled, 'class 5', 'notes.jpg')]);
  });

  itThorough('never judges on an image that calibrated', async () => {
    const labelled = join(directory, 'both');
    await writeNoise(join(labelled, 'class 1'), 8, 21);
    const { made } = await attempt({ images: labelled, labelled });
    expect([made.calibrated, made.comparison.images, made.labelled!.images]).toEqual([4, 4, 4]);
  });

  it('says what it cannot work with', async () => {
    const foreign = join(directory, 'foreign');
    await writeNoise(join(foreign, 'elsewhere'), 1, 31);
    await expect(attempt({ limit: 4, labelled: foreign })).rejects.toThrow(
      'the folder elsewhere is not named after a label',
    );
    await expect(attempt({ limit: 4, labelled: join(directory, 'images') })).rejects.toThrow(
      /must lie in folders/,
    );
    await expect(attempt({ images: foreign })).rejects.toThrow(/at least two images/);
    await expect(attempt({ images: join(directory, 'absent') })).rejects.toThrow(/no such file or directory/);
    const texts = join(directory, 'texts');
    await mkdir(texts);
    for (const name of ['a.jpg', 'b.jpg']) await writeFile(join(texts, name), 'no image');
    await expect(attempt({ images: texts })).rejects.toThrow(/none of the files in .* is an image/);
  });

  it('refuses models without convolutions, of old opsets, and those that are quantised already', async () => {
    const images = join(directory, 'images');
    const attemptWith = async (weights: Uint8Array) => {
      const model = await loadModel(join(directory, 'model'));
      return quantize({ ...model, weights }, { ...common, images, limit: 4 }, () => undefined, never);
    };
    const old = convModel(6);
    old.opsetImport[0]!.version = 12;
    await expect(attemptWith(serializeOnnx(old))).rejects.toThrow(/opset 12; .* need opset 13/);
    const { made } = await attempt({ limit: 4 });
    await expect(attemptWith(made.weights)).rejects.toThrow(/quantised already/);
    await using tiny = await writeTinyModel('mean');
    const mean = await loadModel(tiny.path);
    await expect(quantize(mean, { ...common, images }, () => undefined, never)).rejects.toThrow(
      /opset|no convolution/,
    );
  });

  it('ends when it is aborted', async () => {
    const abort = new AbortController();
    const model = await loadModel(join(directory, 'model'));
    const images = join(directory, 'images');
    const stopped = quantize(
      model,
      { ...common, images },
      ({ type }) => type === 'image' && abort.abort(),
      abort.signal,
    );
    await expect(stopped).rejects.toThrow(/aborted/);
  });
});

describe('the images taken', () => {
  it('are spread evenly', () => {
    expect(spread([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 4)).toEqual([0, 2, 5, 7]);
    expect(spread([1, 2], 5)).toEqual([1, 2]);
  });
});

describe('weights of 7 bits', () => {
  it('are needed on x64 without VNNI', async () => {
    const cpuinfo = join(directory, 'cpuinfo');
    const needed = async (arch: string, flags: string) => {
      await writeFile(cpuinfo, `processor\t: 0\nflags\t\t: fpu ${flags}\nbugs\t\t: avx_vnni\n`);
      return needsReducedRange(arch, cpuinfo);
    };
    expect(await needed('x64', 'avx2 avx512f')).toBe(true);
    expect(await needed('x64', 'avx2 avx512_vnni')).toBe(false);
    expect(await needed('x64', 'avx_vnni')).toBe(false);
    expect(await needed('arm64', '')).toBe(false);
    expect(await needsReducedRange('x64', join(directory, 'absent'))).toBe(true);
  });
});

describeWith('test data', 'SqueezeNet in int8', (root) => {
  it('agrees with its parent, is right as often, and is smaller', async () => {
    const { model: file, photographs } = testData(root);
    const model = await loadModel(file);
    const labelled = join(directory, 'photographs');
    const names = (await readdir(photographs)).filter((name) => name.endsWith('.JPEG')).sort();
    for (const [i, name] of names.entries()) {
      // Every fifth class in order: see the file names.
      const folder = join(labelled, model.info.labels[5 * i]!);
      if (i % 8 !== 0) continue;
      await mkdir(folder, { recursive: true });
      await copyFile(join(photographs, name), join(folder, name));
    }
    const options = { ...common, images: photographs, limit: 60, labelled };
    const made = await quantize(model, options, () => undefined, never);
    // golden-top5.json among them is no image by name.
    expect([made.calibrated, made.rejected.length]).toEqual([30, 0]);
    expect(made.comparison.agreement).toBeGreaterThanOrEqual(0.9);
    const { parent, quantized } = made.labelled!.labelled!;
    expect(parent).toBeGreaterThan(0.5);
    expect(Math.abs(quantized - parent)).toBeLessThanOrEqual(0.1);
    expect(made.weights.length).toBeLessThan(model.weights.length / 3);
  });
});
