/** What a classifier promises, held against every engine; with the test data also the reference answers. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { markAsUntransferable } from 'node:worker_threads';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Classification } from '../../src/lib/base/classification.ts';
import { ImageError, VisionscaleError } from '../../src/lib/base/errors.ts';
import type { Classifier, EngineName } from '../../src/lib/models/classifier/classifier.ts';
import { openClassifier } from '../../src/lib/models/classifier/pool.ts';
import { softmax } from '../../src/lib/models/classifier/rank.ts';
import { loadModel } from '../../src/lib/models/format/model.ts';
import { ensureBuilt } from '../support/build.ts';
import { describeEngines, presentEngines } from '../support/engines.ts';
import { asSharp, pattern, plainJpeg, rejection } from '../support/images.ts';
import { bufferedBytes } from '../support/memory.ts';
import { blackPng } from '../support/png.ts';
import { childrenOf, rssOf } from '../support/processes.ts';
import { describeWith, testData } from '../support/servers.ts';
import { chanceSqueezeNet, colourSqueezeNet, squeezeNetFiles } from '../support/squeezenet-models.ts';
import { itThorough, thorough, thoroughTitle } from '../support/thorough.ts';
import { tinyManifest, tinyWeights, writeTinyModel, type TinyModel } from '../support/tiny-models.ts';

type ModelFiles = NonNullable<Parameters<typeof writeTinyModel>[1]>;

beforeAll(ensureBuilt);

describeEngines((engine) => {
  /** What the engines share (decoding, limits, processes) is shown with one of them in a plain run. */
  const here = engine === 'onnx' || thorough;
  const titled = (name: string) => (here ? name : thoroughTitle(name));
  const itShared = (name: string, run: () => Promise<void>) => it.runIf(here)(titled(name), run);

  /** tfjs executes nothing but SqueezeNet: it gets one with the answers of the tiny model `mean`. */
  const files: ModelFiles = engine === 'tfjs' ? squeezeNetFiles(colourSqueezeNet()) : {};

  async function open(model: TinyModel, other: ModelFiles = {}, workers = 2) {
    await using directory = await writeTinyModel(model, { ...files, ...other });
    return await openClassifier({ model: await loadModel(directory.path), engine, workers });
  }

  it('ranks the categories of an image and times its stages', async () => {
    await using classifier = await open('mean');
    expect(classifier).toMatchObject({
      engine,
      workers: 2,
      model: { name: 'tiny', labels: ['red', 'green', 'blue'] },
    });
    const { top, stages } = await classifier.classify(await plainJpeg('#ff0080'));
    expect(top.map(({ category }) => category)).toEqual(['red', 'blue', 'green']);
    // softmax of 1, 0.5, 0
    expect(top[0]!.confidence).toBeCloseTo((100 * Math.E) / (Math.E + Math.exp(0.5) + 1), 0);
    expect(top.reduce((sum, { confidence }) => sum + confidence, 0)).toBeCloseTo(100, 6);
    for (const ms of Object.values(stages)) expect(ms).toBeGreaterThan(0);
  });

  itShared('answers each of many images at once with its own result', async () => {
    await using classifier = await open('mean');
    const colours = [
      ['#ff0000', 'red'],
      ['#00ff00', 'green'],
      ['#0000ff', 'blue'],
    ] as const;
    const jobs = Array.from({ length: 60 }, (_, i) => colours[i % 3]!);
    const answers = await Promise.all(
      jobs.map(async ([colour]) => classifier.classify(await plainJpeg(colour))),
    );
    expect(answers.map(({ top }) => top[0]!.category)).toEqual(jobs.map(([, name]) => name));
  });

  itShared('rejects what is no image with the ImageError of the decoder, and goes on', async () => {
    await using classifier = await open('mean', {}, 1);
    for (const [bytes, code] of [
      [Buffer.alloc(0), 'empty'],
      [Buffer.from('not an image at all'), 'not_an_image'],
      [(await plainJpeg('red')).subarray(0, -20), 'truncated'],
      [blackPng(10_000, 10_000), 'too_many_pixels'],
    ] as const) {
      const error = await rejection(classifier.classify(bytes));
      expect(error).toBeInstanceOf(ImageError);
      expect(error).toMatchObject({ code, retryable: false });
      expect((error as ImageError).hint).toBeTruthy();
    }
    await expect(classifier.classify(await plainJpeg('red'))).resolves.toBeDefined();
  });

  itShared('holds images against the limits given', async () => {
    await using directory = await writeTinyModel('mean', files);
    const model = await loadModel(directory.path);
    const limits = { maxBytes: 2 ** 20, maxPixels: 31 * 32 };
    await using classifier = await openClassifier({ model, engine, workers: 1, limits });
    await expect(classifier.classify(await plainJpeg('red', 32))).rejects.toMatchObject({
      code: 'too_many_pixels',
    });
    await expect(classifier.classify(await plainJpeg('red', 31))).resolves.toBeDefined();
  });

  itShared('takes over memory that the image owns and leaves shared memory alone', async () => {
    await using classifier = await open('mean', {}, 1);
    const own = new Uint8Array(await plainJpeg('red'));
    const shared = new Uint8Array(own.length + 64);
    shared.set(own, 32);
    const copy = [...shared];
    await classifier.classify(shared.subarray(32, 32 + own.length));
    expect([...shared]).toEqual(copy);
    await classifier.classify(own);
    expect(own.length).toBe(0);
    const lent = new Uint8Array(await plainJpeg('red')); // as native code lends it from Node 22 on
    markAsUntransferable(lent.buffer);
    await expect(classifier.classify(lent)).resolves.toBeDefined();
  });

  itShared('refuses labels of another count', async () => {
    const error = await rejection(open('mean', { 'labels.txt': 'a\nb\n' }, 1));
    expect(error).toMatchObject({ code: 'labels_mismatch', retryable: false });
    expect((error as VisionscaleError).message).toMatch(/3 classes.*2 labels/);
    expect((error as VisionscaleError).hint).toBeTruthy();
  });

  it.runIf(engine === 'tfjs').each([
    [
      'any other network',
      tinyWeights('mean'),
      squeezeNetFiles(tinyWeights('mean'))['model.json'],
      /SqueezeNet 1\.1 only/,
    ],
    ['another image size', colourSqueezeNet(), JSON.stringify(tinyManifest), /224 pixels a side, not the 8/],
    ['weights that are none', Buffer.from('not a model'), '{}', /SqueezeNet 1\.1 only: .*not ONNX/],
  ])('refuses %s and names the engines that do not', async (_, weights, manifest, message) => {
    const error = await rejection(open('mean', { 'model.onnx': weights, 'model.json': manifest }, 1));
    expect(error).toMatchObject({ code: 'model_invalid', retryable: false });
    expect((error as VisionscaleError).message).toMatch(message);
    expect((error as VisionscaleError).hint).toMatch(/--engine onnx/);
  });

  it.runIf(here && engine !== 'tfjs').each([
    ['two inputs', 'twoInputs', {}, 'model_invalid', /image, other/],
    ['an input of integers', 'integerInput', {}, 'model_invalid', /uint8/],
    ['scores that are not numbers', 'notANumber', {}, 'model_invalid', /not numbers/],
    ['another image size', 'mean', { 'model.json': '{}' }, 'model_invalid', /3×8×8, not 1×3×224×224/],
    ['weights that are none', 'mean', { 'model.onnx': 'not a model' }, 'model_invalid', /cannot be loaded/],
  ] as const)(titled('refuses a model with %s'), async (_, model, files, code, message) => {
    const error = await rejection(open(model, files, 1));
    expect(error).toBeInstanceOf(VisionscaleError);
    expect(error).toMatchObject({ code, retryable: false });
    expect((error as VisionscaleError).message).toMatch(message);
    expect((error as VisionscaleError).hint).toBeTruthy();
  });

  // No image makes TensorFlow end a process.
  it.runIf(here && engine !== 'tfjs')(
    titled('survives the death of a process: what it held may be retried, the rest goes on'),
    async () => {
      await using classifier = await open('brittle', {}, 1);
      const fatal = await rejection(classifier.classify(await plainJpeg('#ffffff')));
      expect(fatal).toMatchObject({ code: 'worker_crashed', retryable: true });
      expect(fatal).not.toBeInstanceOf(ImageError);
      const answers = await Promise.all(
        Array.from({ length: 12 }, async () => classifier.classify(await plainJpeg('#800000'))),
      );
      expect(answers.every(({ top }) => top[0]!.category === 'red')).toBe(true);
      await rejection(classifier.classify(await plainJpeg('#ffffff')));
      await expect(classifier.classify(await plainJpeg('#000080'))).resolves.toMatchObject({
        top: [{ category: 'blue' }, {}, {}],
      });
    },
  );

  itShared('finishes what it took before it closes, leaves no process, and closes twice', async () => {
    const before = childrenOf(process.pid).length;
    const classifier = await open('mean', {}, 2);
    expect(childrenOf(process.pid)).toHaveLength(before + 1);
    const answers = [await plainJpeg('red'), await plainJpeg('lime')].map((image) =>
      classifier.classify(image),
    );
    expect(childrenOf(process.pid)).toHaveLength(before + 2);
    const closed = classifier[Symbol.asyncDispose]();
    await Promise.all([closed, classifier[Symbol.asyncDispose]()]);
    expect((await Promise.all(answers)).map(({ top }) => top[0]!.category)).toEqual(['red', 'green']);
    await expect(classifier.classify(await plainJpeg('red'))).rejects.toMatchObject({
      code: 'classifier_closed',
    });
    expect(childrenOf(process.pid)).toHaveLength(before);
  });

  itThorough(
    'keeps to its memory',
    async () => {
      const labels = { 'labels.txt': [...'abcdefghij'].join('\n') };
      await using classifier = await open('mean', { ...squeezeNetFiles(chanceSqueezeNet()), ...labels }, 1);
      const count = engine === 'wasm' ? 40 : 80; // it takes its time
      const image = await plainJpeg('#804020', 224);
      const classify = async (times: number) => {
        for (let i = 0; i < times; i++) await classifier.classify(image);
        return childrenOf(process.pid).reduce((sum, pid) => sum + rssOf(pid), await bufferedBytes());
      };
      const held = [await classify(50)];
      while (held.length < 4) held.push(await classify(count));
      // What is left behind adds up each time; garbage that is not collected yet does not.
      const growth = Math.min(...held.slice(1).map((bytes, n) => bytes - held[n]!));
      // Half of what it would be if a copy of the input (224 × 224 × 3 float32) were left behind each time.
      expect(growth / count).toBeLessThan(224 * 224 * 3 * 4 * 0.5);
    },
    180_000,
  );
});

it('auto takes the fastest engine and says so', async () => {
  await using directory = await writeTinyModel('mean');
  const notices: string[] = [];
  const model = await loadModel(directory.path);
  await using classifier = await openClassifier({
    model,
    engine: 'auto',
    workers: 1,
    onNotice: (text) => notices.push(text),
  });
  expect(classifier.engine).toBe('onnx');
  expect(notices).toEqual([`model ${model.info.name} (onnx) ready`]);
});

it('tells the reason of each of many failures at once', async () => {
  await using directory = await writeTinyModel('mean');
  const model = await loadModel(directory.path);
  await using classifier = await openClassifier({ model, engine: 'onnx', workers: 2 });
  const half = (await asSharp(pattern(320, 320)).jpeg().toBuffer()).subarray(0, 8_000);
  const errors = await Promise.all(
    Array.from({ length: 80 }, () => rejection(classifier.classify(Buffer.from(half)))),
  );
  expect(new Set(errors.map((error) => (error as ImageError).code))).toEqual(new Set(['truncated']));
});

it('turns images upright by EXIF, unless told not to', async () => {
  // Red above blue as stored; a quarter turn clockwise puts the red on the right.
  const pixels = Buffer.concat([Buffer.alloc(8 * 4 * 3), Buffer.alloc(8 * 4 * 3)]);
  for (let i = 0; i < 64; i++) pixels[3 * i + (i < 32 ? 0 : 2)] = 255;
  const stored = sharp(pixels, { raw: { width: 8, height: 8, channels: 3 } });
  const turned = await stored.withMetadata({ orientation: 6 }).png().toBuffer();
  await using directory = await writeTinyModel('leftHalf');
  const model = await loadModel(directory.path);
  for (const [autoOrient, expected] of [
    [true, [0, 0, 1]],
    [false, [0.5, 0, 0.5]],
  ] as const) {
    await using classifier = await openClassifier({ model, engine: 'onnx', workers: 1, autoOrient });
    const { top } = await classifier.classify(Buffer.from(turned));
    const shares = softmax(Float32Array.from(expected));
    for (const [i, label] of model.info.labels.entries()) {
      const { confidence } = top.find(({ category }) => category === label)!;
      expect(confidence).toBeCloseTo(100 * shares[i]!, 3);
    }
  }
});

describeWith('test data', 'squeezenet1_1 on 200 photographs', (root) => {
  interface Golden {
    category: string;
    confidence: number;
  }
  const { model, photographs, golden: goldenFile } = testData(root);
  let golden: Record<string, Golden[]>;
  const answers = new Map<EngineName, Map<string, Classification>>();
  beforeAll(async () => {
    golden = JSON.parse(await readFile(goldenFile, 'utf8')) as typeof golden;
    expect(Object.keys(golden)).toHaveLength(200);
  });
  afterAll(() => answers.clear());

  it.each(presentEngines)('%s: the categories of the reference, and its confidences', async (engine) => {
    const loaded = await loadModel(model);
    await using classifier: Classifier = await openClassifier({ model: loaded, engine, workers: 2 });
    const found = new Map<string, Classification>();
    await Promise.all(
      Object.keys(golden).map(async (name) => {
        found.set(name, await classifier.classify(await readFile(join(photographs, name))));
      }),
    );
    answers.set(engine, found);
    let difference = 0;
    for (const [name, expected] of Object.entries(golden)) {
      const { top } = found.get(name)!;
      expect(top.map(({ category }) => category)).toEqual(expected.map(({ category }) => category));
      difference += Math.abs(top[0]!.confidence - expected[0]!.confidence);
    }
    expect(difference / 200).toBeLessThan(0.001); // percentage points; the reference has four decimals
  });

  it('all engines agree to a thousandth', () => {
    const [first, ...others] = presentEngines.map((engine) => answers.get(engine)!);
    expect(others.length).toBeGreaterThan(0);
    for (const [name, { top }] of first!) {
      for (const other of others) {
        for (const [i, score] of other.get(name)!.top.entries()) {
          expect(Math.abs(score.confidence - top[i]!.confidence)).toBeLessThan(0.1); // percent
        }
      }
    }
  });
});
