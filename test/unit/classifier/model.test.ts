/** Loading a model: where its files are looked for, what they may say, what is said when they are wrong. */
import { createHash } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VisionscaleError } from '../../../src/lib/base/errors.ts';
import { loadModel } from '../../../src/lib/models/format/model.ts';
import { imagenetPreprocessing } from '../../../src/lib/models/images/preprocess.ts';
import { makeNode } from '../../../src/lib/models/onnx/graph.ts';
import { serializeOnnx } from '../../../src/lib/models/onnx/onnx.ts';
import { meansModel } from '../../support/hostile-models.ts';
import { rejection } from '../../support/images.ts';
import { tinyManifest, tinyWeights, writeTinyModel } from '../../support/tiny-models.ts';

const digest = `sha256:${createHash('sha256').update(tinyWeights('mean')).digest('hex')}`;
const manifest = (changes: object) => JSON.stringify({ ...tinyManifest, ...changes });

describe('loadModel', () => {
  it('reads a directory with a manifest', async () => {
    await using model = await writeTinyModel('mean');
    const loaded = await loadModel(model.path);
    expect(loaded.info).toEqual({ name: 'tiny', version: '1', digest, labels: ['red', 'green', 'blue'] });
    expect(Buffer.from(loaded.weights).equals(tinyWeights('mean'))).toBe(true);
    expect(loaded.preprocessing).toEqual(tinyManifest.preprocessing);
    expect(loaded.output).toBe('logits');
  });

  it('takes a network without a manifest for one of ImageNet', async () => {
    await using model = await writeTinyModel('mean', { 'model.json': undefined });
    await rename(join(model.path, 'model.onnx'), join(model.path, 'net.onnx'));
    const loaded = await loadModel(model.path);
    expect(loaded.preprocessing).toEqual(imagenetPreprocessing);
    expect(loaded.info).toMatchObject({ name: 'net', version: digest.slice(7, 19), digest });
  });

  it('reads a file with the labels and the manifest beside it', async () => {
    await using model = await writeTinyModel('mean');
    expect((await loadModel(join(model.path, 'model.onnx'))).info.name).toBe('tiny');
  });

  it('prefers model.onnx among several', async () => {
    await using model = await writeTinyModel('mean', { 'other.onnx': tinyWeights('integerInput') });
    expect((await loadModel(model.path)).info.digest).toBe(digest);
  });

  it('keeps labels as they are but for line ends', async () => {
    await using model = await writeTinyModel('mean', {
      'labels.txt': '\uFEFFtench, Tinca tinca\r\n  Čáp \nçà\n\n',
    });
    expect((await loadModel(model.path)).info.labels).toEqual(['tench, Tinca tinca', '  Čáp', 'çà']);
  });

  it('takes labels from the manifest, and what it says of the output', async () => {
    const text = manifest({
      labels: ['r', 'g', 'b'],
      output: 'probabilities',
      digest,
      metrics: { top1: 0.9 },
    });
    await using model = await writeTinyModel('mean', { 'labels.txt': undefined, 'model.json': text });
    const loaded = await loadModel(model.path);
    expect(loaded.info.labels).toEqual(['r', 'g', 'b']);
    expect(loaded.output).toBe('probabilities');
  });
});

describe('what the outputs are', () => {
  const model = (op: string) => serializeOnnx(meansModel({ nodes: [makeNode(op, ['means'], ['scores'])] }));

  it.each([
    ['Softmax', 'probabilities'],
    ['Sigmoid', 'sigmoid'],
    ['Relu', 'logits'],
  ])('is read from the graph where nobody says: %s, %s', async (op, expected) => {
    await using files = await writeTinyModel('mean', { 'model.onnx': model(op) });
    expect((await loadModel(files.path)).output).toBe(expected);
  });

  it('is what the manifest says, also a former version’s', async () => {
    await using files = await writeTinyModel('mean', {
      'model.onnx': model('Softmax'),
      'model.json': manifest({ output: 'logits' }),
    });
    expect((await loadModel(files.path)).output).toBe('logits');
  });
});

describe('refused', () => {
  const invalid = [
    ['no weights', { 'model.onnx': undefined }, 'model_not_found', /no \.onnx file/],
    ['no labels', { 'labels.txt': undefined }, 'labels_missing', /no labels\.txt/],
    ['labels that are not text', { 'labels.txt': Buffer.from([0xc3, 0x28]) }, 'model_invalid', /not UTF-8/],
    [
      'several weights',
      { 'model.onnx': undefined, 'a.onnx': 'a', 'b.onnx': 'b' },
      'model_invalid',
      /2 models: a\.onnx, b/,
    ],
    ['a manifest that is not JSON', { 'model.json': '{' }, 'model_invalid', /not JSON/],
    [
      'a digest of other weights',
      { 'model.json': manifest({ digest: `sha256:${'0'.repeat(64)}` }) },
      'model_invalid',
      /000, but/,
    ],
    [
      'several faults at once',
      { 'model.json': manifest({ output: 'words', preprocessing: { resize: 8, crop: 16, std: [1, 0, 1] } }) },
      'model_invalid',
      /preprocessing\.std\.1.*output/,
    ],
    [
      'a crop larger than the image',
      { 'model.json': manifest({ preprocessing: { resize: 8, crop: 16 } }) },
      'model_invalid',
      /preprocessing\.crop: crop must not exceed resize/,
    ],
  ] as const;

  it.each(invalid)('%s', async (_, files, code, message) => {
    await using model = await writeTinyModel('mean', files);
    const error = await rejection(loadModel(model.path));
    expect(error).toBeInstanceOf(VisionscaleError);
    expect(error).toMatchObject({ code, retryable: false });
    expect((error as VisionscaleError).message).toMatch(message);
    expect((error as VisionscaleError).hint).toBeTruthy();
  });

  it('a path where nothing is', async () => {
    await expect(loadModel('/nowhere/model.onnx')).rejects.toMatchObject({ code: 'model_not_found' });
  });
});
