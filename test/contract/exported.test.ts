/** What exporters write, whatever its layout and type: added, it answers as the runtime does on the original, and others learn from it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { engines } from '../../src/lib/models/classifier/engines/engines.ts';
import { openClassifier } from '../../src/lib/models/classifier/pool.ts';
import { loadModel } from '../../src/lib/models/format/model.ts';
import { floatValue, type OnnxModel } from '../../src/lib/models/onnx/graph.ts';
import { headFeatures, identityLayer, withHead } from '../../src/lib/models/onnx/head.ts';
import { parseOnnx, serializeOnnx } from '../../src/lib/models/onnx/onnx.ts';
import { addModel, type AddModelOptions } from '../../src/lib/models/store/add.ts';
import { openModelStore, type ModelStore } from '../../src/lib/models/store/store.ts';
import {
  anySide,
  camera,
  convEnd,
  convHead,
  type ExportedModel,
  exportedClasses,
  exportedSide as side,
  halfPrecision,
  keras,
  layerNorm,
  mobileNetV3,
  resNet,
} from '../support/exported-models.ts';
import { asSharp, pattern, rejection } from '../support/images.ts';

let dir: string;
let store: ModelStore;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'visionscale-exported-'));
  store = openModelStore(join(dir, 'models'));
  await writeFile(
    join(dir, 'labels.txt'),
    Array.from({ length: exportedClasses }, (_, i) => `${i}\n`).join(''),
  );
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** What the original takes of the picture: every value by its channel, row and column. */
interface Wanted {
  type: 'float32' | 'float16' | 'uint8';
  channelsLast?: true;
  blueFirst?: true;
  value: (pixel: number, channel: number) => number;
}

const mean = [0.485, 0.456, 0.406];
const std = [0.229, 0.224, 0.225];
const normalised: Wanted = { type: 'float32', value: (pixel, c) => (pixel / 255 - mean[c]!) / std[c]! };
const pixels: Wanted = { type: 'float32', channelsLast: true, value: (pixel) => pixel };
const size = { resize: side };

const cases: [string, () => ExportedModel, AddModelOptions, Wanted, string[]][] = [
  ['a MobileNetV3', mobileNetV3, size, normalised, []],
  ['a ResNet for one image', resNet, size, normalised, []],
  ['a convolution behind the pooling', convHead, size, normalised, []],
  ['a 1×1 convolution at the end', convEnd, size, normalised, []],
  ['LayerNormalization and attention', layerNorm, size, normalised, []],
  [
    'Keras’s, which scales by itself',
    keras,
    size,
    pixels,
    ['channels come last', 'inputs that nothing takes are left out'],
  ],
  [
    'a camera’s pixels',
    camera,
    size,
    { ...pixels, type: 'uint8' },
    ['images become uint8', 'channels come last'],
  ],
  [
    'half precision',
    halfPrecision,
    size,
    { ...normalised, type: 'float16' },
    ['images become float16', 'scores become float32 (from float16)'],
  ],
  ['any side', anySide, { ...size, size: side }, normalised, []],
  [
    'blue, green, red',
    convHead,
    { ...size, bgr: true },
    { ...normalised, blueFirst: true },
    ['red and blue change places'],
  ],
  [
    'Caffe’s preparation',
    convHead,
    { ...size, preset: 'caffe' },
    { type: 'float32', blueFirst: true, value: (pixel, c) => pixel - [123.68, 116.779, 103.939][c]! },
    ['red and blue change places'],
  ],
];

describe.each(cases)('%s', (name, make, options, wanted, added) => {
  it('answers as the runtime does on the original', async () => {
    const { model } = make();
    const file = join(dir, 'net.onnx');
    await writeFile(file, serializeOnnx(model));
    const result = await addModel(store, file, options);
    expect(result.added).toEqual(added);
    const expected = softmaxOnce(await original(model, wanted));
    expect(Math.max(...expected) - Math.min(...expected)).toBeGreaterThan(0.01);
    await using classifier = await openClassifier({
      model: await loadModel(result.entry.path),
      engine: 'onnx',
      workers: 1,
    });
    const { top } = await classifier.classify(await asSharp(pattern(side, side)).png().toBuffer());
    expect(top.length).toBeGreaterThanOrEqual(5);
    for (const { category, confidence } of top)
      expect(Math.abs(confidence / 100 - expected[Number(category)]!)).toBeLessThan(1e-4);
  });

  it.runIf(name !== 'half precision')('gives the features that a new head learns from', async () => {
    const { model, features } = make();
    const file = join(dir, 'net.onnx');
    await writeFile(file, serializeOnnx(model));
    const { entry } = await addModel(store, file, options);
    const loaded = await loadModel(entry.path);
    const parent = parseOnnx(loaded.weights);
    const output = [{ name: features, type: { tensorType: { elemType: 1 } } }];
    const expected = await original({ ...model, graph: { ...model.graph, output } }, wanted);
    await using session = await engines.onnx.open(
      serializeOnnx(withHead(parent, identityLayer(expected.length))),
      { side },
    );
    const { mean, std } = loaded.preprocessing;
    const seen = {
      type: 'float32',
      value: (pixel: number, c: number) => (pixel / 255 - mean[c]!) / std[c]!,
    } as const;
    const { scores: found } = await session.run(values(seen), 1);
    expect(headFeatures(parent)).toBe(expected.length);
    expect(found).toHaveLength(expected.length);
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 3);
  });
});

function values({ channelsLast, blueFirst, value }: Wanted): Float32Array {
  const { data } = pattern(side, side);
  const out = new Float32Array(3 * side * side);
  for (let at = 0; at < side * side; at++)
    for (let c = 0; c < 3; c++) {
      const to = blueFirst ? 2 - c : c;
      out[channelsLast ? 3 * at + to : to * side * side + at] = value(data[3 * at + c]!, c);
    }
  return out;
}

/** By the runtime alone, on the file as it was exported. */
async function original(model: OnnxModel, wanted: Wanted): Promise<number[]> {
  const session = await ort.InferenceSession.create(serializeOnnx(model));
  const dims = wanted.channelsLast ? [1, side, side, 3] : [1, 3, side, side];
  const data = values(wanted);
  const [tensor, back] =
    wanted.type === 'float16'
      ? [new ort.Tensor('float16', Uint16Array.from(data, toHalf), dims), fromHalf]
      : [new ort.Tensor(wanted.type, wanted.type === 'uint8' ? Uint8Array.from(data) : data, dims), Number];
  const idle = new ort.Tensor('float32', new Float32Array(3), [1, 1, 1, 3]);
  const [first, ...others] = session.inputNames;
  const inputs = Object.fromEntries([[first!, tensor], ...others.map((name) => [name, idle] as const)]);
  const answer = await session.run(inputs);
  await session.release();
  return Array.from(answer[session.outputNames[0]!]!.data as unknown as ArrayLike<number>, back);
}

function softmaxOnce(scores: number[]): number[] {
  const sum = scores.reduce((total, score) => total + score, 0);
  if (scores.every((score) => score >= 0) && Math.abs(sum - 1) < 1e-4) return scores;
  const most = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - most));
  const all = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / all);
}

/** Of normal numbers, to the nearest, ties to even. */
function toHalf(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(value))), -14);
  const steps = Math.abs(value) / 2 ** (exponent - 10);
  const floor = Math.floor(steps);
  const fraction = steps - floor;
  const rounded = fraction > 0.5 || (fraction === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  return (value < 0 ? 0x8000 : 0) + ((exponent + 15) << 10) + (rounded - 1024);
}

function fromHalf(bits: number): number {
  const fraction = (bits & 1023) / 1024;
  const exponent = (bits >> 10) & 31;
  const size = exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

describe('is refused by name', () => {
  const add = async (change: (model: OnnxModel) => void, options: AddModelOptions = size) => {
    const { model } = convHead();
    change(model);
    await writeFile(join(dir, 'net.onnx'), serializeOnnx(model));
    return rejection(addModel(store, join(dir, 'net.onnx'), options));
  };
  const input =
    (sizes: (number | string)[], type = 1) =>
    (model: OnnxModel) => {
      const value = floatValue('image', sizes);
      value.type!.tensorType!.elemType = type;
      model.graph.input = [value];
    };

  it.each<[string, (model: OnnxModel) => void, string, RegExp]>([
    ['any side, untold', input(['N', 3, 'H', 'W']), 'usage', /images of any size, and nothing says which/],
    ['one channel', input(['N', 1, side, side]), 'model_invalid', /\?×1×16×16, not N×3×side×side/],
    ['eight images at a time', input([8, 3, side, side]), 'model_invalid', /takes 8 images at a time/],
    ['wide images', input(['N', 3, side, 32]), 'model_invalid', /not as wide as high/],
    ['a vector', input(['N', 768]), 'model_invalid', /\?×768, not N×3×side×side/],
    ['int8', input(['N', 3, side, side], 3), 'model_invalid', /is int8, not float32, float16 or uint8/],
  ])('%s', async (_, change, code, message) => {
    const error = await add(change);
    expect(error).toMatchObject({ code, hint: expect.any(String) as string });
    expect((error as Error).message).toMatch(message);
  });
});

describe('weights in a file beside the graph', () => {
  /** The first tensor lies elsewhere. */
  const split = async (location: string, said: Record<string, string> = {}) => {
    const { model } = convEnd();
    const [first, ...others] = model.graph.initializer;
    const all = Buffer.from(first!.rawData!);
    const entries = Object.entries({ location, offset: '8', length: `${all.length}`, ...said });
    const { rawData: _, ...rest } = first!;
    const outside = {
      ...rest,
      dataLocation: 1,
      externalData: entries.map(([key, value]) => ({ key, value })),
    };
    model.graph.initializer = [outside, ...others];
    await writeFile(join(dir, 'net.onnx'), serializeOnnx(model));
    await writeFile(join(dir, 'net.onnx.data'), Buffer.concat([Buffer.alloc(8), all]));
    return addModel(store, join(dir, 'net.onnx'), size);
  };

  it('come into the one file that is installed', async () => {
    const { entry } = await split('net.onnx.data');
    const installed = parseOnnx((await loadModel(entry.path)).weights);
    const { model } = convEnd();
    expect(Buffer.from(installed.graph.initializer[0]!.rawData!)).toEqual(
      Buffer.from(model.graph.initializer[0]!.rawData!),
    );
    expect(entry.manifest?.source).toMatch(/^net\.onnx sha256:/);
  });

  it.each([
    ['another directory', '../net.onnx.data', {}, /not beside the model/],
    ['a path', '/etc/passwd', {}, /not beside the model/],
    ['the directory itself', '..', {}, /not beside the model/],
    ['a missing file', 'gone.data', {}, /in gone\.data, which is not beside it/],
    ['bytes behind its end', 'net.onnx.data', { offset: '9' }, /beyond the end of net\.onnx\.data/],
    ['a length that is none', 'net.onnx.data', { length: '-4' }, /length of the tensor .* is no number/],
  ])('are refused: %s', async (_, location, said, message) => {
    const error = await rejection(split(location, said));
    expect(error).toMatchObject({ code: 'model_invalid', hint: expect.any(String) as string });
    expect((error as Error).message).toMatch(message);
  });
});
