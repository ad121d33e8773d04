import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { type OnnxModel } from '../../../../src/lib/models/onnx/graph.ts';
import { parseOnnx, serializeOnnx } from '../../../../src/lib/models/onnx/onnx.ts';
import { calibrate } from '../../../../src/lib/models/quantize/calibrate.ts';
import { activationParameters, type Affine } from '../../../../src/lib/models/quantize/parameters.ts';
import { planQuantization } from '../../../../src/lib/models/quantize/plan.ts';
import { rewriteQuantized } from '../../../../src/lib/models/quantize/rewrite.ts';
import { convModel, convSide, randomNumbers } from '../../../support/conv-model.ts';

const classes = 10;
const numbers = randomNumbers(99);
const image = () => numbers(3 * convSide ** 2);

// eslint-disable-next-line @typescript-eslint/require-await
async function* each(images: Float32Array[]) {
  yield* images;
}

async function scores(model: OnnxModel, images: Float32Array[]): Promise<Float32Array[]> {
  const session = await ort.InferenceSession.create(serializeOnnx(model), { intraOpNumThreads: 1 });
  const found: Float32Array[] = [];
  for (const data of images) {
    const { scores: output } = await session.run({
      image: new ort.Tensor('float32', data, [1, 3, convSide, convSide]),
    });
    found.push(output!.data as Float32Array);
  }
  await session.release();
  return found;
}

async function quantized(model: OnnxModel, reduceRange: boolean): Promise<OnnxModel> {
  const plan = planQuantization(model.graph);
  const { weighted, groups } = plan;
  const images = each(Array.from({ length: 8 }, image));
  const { ranges, means } = await calibrate(model, plan, convSide, images);
  const activations = new Map<string, Affine>();
  for (const [i, group] of groups.entries()) {
    for (const tensor of group) activations.set(tensor, activationParameters(ranges[i]!));
  }
  return parseOnnx(serializeOnnx(rewriteQuantized(model, { weighted, activations, means, reduceRange })));
}

/** Root mean square of the differences over that of the scores. */
function relativeError(found: Float32Array[], expected: Float32Array[]): number {
  let [error, size] = [0, 0];
  for (const [i, row] of expected.entries()) {
    for (const [j, value] of row.entries()) {
      error += (found[i]![j]! - value) ** 2;
      size += value ** 2;
    }
  }
  return Math.sqrt(error / size);
}

describe('calibration', () => {
  it('finds the least and the greatest value of every group over all images', async () => {
    const model = convModel(classes);
    const images = [image(), image()];
    const plan = { groups: [['image'], ['scores', 'f1']], weighted: [] };
    const { ranges } = await calibrate(model, plan, convSide, each(images));
    const all = images.flatMap((data) => [...data]);
    expect(ranges[0]).toEqual({ min: Math.min(...all), max: Math.max(...all) });
    const outputs = (await scores(model, images)).flatMap((row) => [...row]);
    expect(ranges[1]!.min).toBeCloseTo(Math.min(...outputs), 4);
    expect(ranges[1]!.max).toBeGreaterThanOrEqual(Math.max(...outputs) - 1e-4);
  });

  it('refuses a model that computes no numbers', async () => {
    const broken = new Float32Array(3 * convSide ** 2).fill(NaN);
    await expect(calibrate(convModel(classes), { groups: [['scores']], weighted: [] }, convSide, each([broken]))).rejects.toMatchObject(
      {
        code: 'model_invalid',
      },
    );
  });
});

describe('the quantised graph', () => {
  it.each([
    ['8 bits', false, 0.03],
    ['7 bits', true, 0.05],
  ])('gives nearly the same scores with weights of %s', async (_, reduceRange, tolerance) => {
    const model = convModel(classes);
    const images = Array.from({ length: 6 }, image);
    const expected = await scores(model, images);
    const found = await scores(await quantized(model, reduceRange), images);
    const error = relativeError(found, expected);
    expect(error).toBeLessThan(tolerance);
    expect(error).toBeGreaterThan(0); // else nothing was quantised
  });

  it('holds its weights in int8 only, and leaves the original alone', async () => {
    const model = convModel(classes);
    const before = structuredClone(model);
    const made = await quantized(model, false);
    expect(model).toEqual(before);
    const originals = new Set(model.graph.initializer.map(({ name }) => name));
    expect(made.graph.initializer.filter(({ name }) => originals.has(name))).toEqual([]);
    const int8 = made.graph.initializer.filter(({ dataType }) => dataType === 3);
    expect(int8.map(({ dims }) => dims.join('×'))).toEqual(
      expect.arrayContaining(['16×3×3×3', '16×16×1×1', '16×16×3×3', '32×32×3×3', '10×32']),
    );
    expect(serializeOnnx(made).length).toBeLessThan(serializeOnnx(model).length / 2);
  });

  it('keeps weights of 7 bits within ±64', async () => {
    const made = await quantized(convModel(classes), true);
    const weights = made.graph.initializer.filter(({ name }) => name!.endsWith('_weight'));
    expect(weights).toHaveLength(5);
    for (const { rawData } of weights) {
      const values = new Int8Array(Uint8Array.from(rawData!).buffer);
      expect(Math.max(...values.map(Math.abs))).toBe(64);
    }
  });
});
