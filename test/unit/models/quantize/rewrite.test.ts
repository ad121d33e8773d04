import { describe, expect, it } from 'vitest';
import { hasNovelty, withNovelty } from '../../../../src/lib/models/onnx/novelty.ts';
import { serializeOnnx } from '../../../../src/lib/models/onnx/onnx.ts';
import { calibrate } from '../../../../src/lib/models/quantize/calibrate.ts';
import { convModel, convSide, randomNumbers } from '../../../support/conv-model.ts';
import { noveltyLayer } from '../../../support/novelty-layers.ts';
import { each, outputs, quantized, relativeError } from '../../../support/quantized.ts';

const classes = 10;
const numbers = randomNumbers(99);
const image = () => numbers(3 * convSide ** 2);
const calibration = Array.from({ length: 8 }, image);

describe('calibration', () => {
  it('finds the least and the greatest value of every group over all images', async () => {
    const model = convModel(classes);
    const images = [image(), image()];
    const plan = { groups: [['image'], ['scores', 'f1']], weighted: [] };
    const { ranges } = await calibrate(model, plan, convSide, each(images));
    const all = images.flatMap((data) => [...data]);
    expect(ranges[0]).toEqual({ min: Math.min(...all), max: Math.max(...all) });
    const scores = (await outputs(model, images)).flatMap((row) => [...row]);
    expect(ranges[1]!.min).toBeCloseTo(Math.min(...scores), 4);
    expect(ranges[1]!.max).toBeGreaterThanOrEqual(Math.max(...scores) - 1e-4);
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
    const expected = await outputs(model, images);
    const found = await outputs(await quantized(model, calibration, { reduceRange }), images);
    const error = relativeError(found, expected);
    expect(error).toBeLessThan(tolerance);
    expect(error).toBeGreaterThan(0); // else nothing was quantised
  });

  it('holds its weights in int8 only, and leaves the original alone', async () => {
    const model = convModel(classes);
    const before = structuredClone(model);
    const made = await quantized(model, calibration);
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
    const made = await quantized(convModel(classes), calibration, { reduceRange: true });
    const weights = made.graph.initializer.filter(({ name }) => name!.endsWith('_weight'));
    expect(weights).toHaveLength(5);
    for (const { rawData } of weights) {
      const values = new Int8Array(Uint8Array.from(rawData!).buffer);
      expect(Math.max(...values.map(Math.abs))).toBe(64);
    }
  });

  it('leaves what tells unknown objects in float32', async () => {
    const model = withNovelty(convModel(classes), noveltyLayer(32, classes));
    const own = ({ graph }: typeof model) =>
      graph.node.filter(({ output }) => output[0]!.startsWith('visionscale.')).map(({ opType }) => opType);
    const images = [image(), image()];
    const made = await quantized(model, images);
    expect(own(made)).toEqual(own(model));
    expect(hasNovelty(made)).toBe(true);
    const expected = await outputs(model, images, 'visionscale.novelty');
    const found = await outputs(made, images, 'visionscale.novelty');
    for (const [i, [value]] of found.entries()) expect(Math.abs(value! / expected[i]![0]! - 1)).toBeLessThan(0.05);
  });
});
