/** Quantises graphs without a model around them, and says how far their outputs are from the originals'. */
import * as ort from 'onnxruntime-node';
import type { OnnxModel } from '../../src/lib/models/onnx/graph.ts';
import { parseOnnx, serializeOnnx } from '../../src/lib/models/onnx/onnx.ts';
import { calibrate } from '../../src/lib/models/quantize/calibrate.ts';
import { foldGraph } from '../../src/lib/models/quantize/fold.ts';
import { activationParameters, type Affine } from '../../src/lib/models/quantize/parameters.ts';
import { planQuantization } from '../../src/lib/models/quantize/plan.ts';
import { rewriteQuantized } from '../../src/lib/models/quantize/rewrite.ts';
import { convSide } from './conv-model.ts';

// eslint-disable-next-line @typescript-eslint/require-await
export async function* each(images: Float32Array[]) {
  yield* images;
}

/** As written to a file and read again. */
export async function quantized(
  model: OnnxModel,
  images: Float32Array[],
  { reduceRange = false, fold = false } = {},
): Promise<OnnxModel> {
  const graph = fold ? await foldGraph(serializeOnnx(model)) : model;
  const plan = planQuantization(graph.graph);
  const { ranges, means } = await calibrate(graph, plan, convSide, each(images));
  const activations = new Map<string, Affine>();
  for (const [i, group] of plan.groups.entries()) {
    for (const tensor of group) activations.set(tensor, activationParameters(ranges[i]!));
  }
  const { weighted } = plan;
  return parseOnnx(serializeOnnx(rewriteQuantized(graph, { weighted, activations, means, reduceRange })));
}

/** One row of `output` for each image. */
export async function outputs(
  model: OnnxModel,
  images: Float32Array[],
  output = 'scores',
): Promise<Float32Array[]> {
  const session = await ort.InferenceSession.create(serializeOnnx(model), { intraOpNumThreads: 1 });
  const found: Float32Array[] = [];
  for (const data of images) {
    const image = new ort.Tensor('float32', data, [1, 3, convSide, convSide]);
    const result = await session.run({ [session.inputNames[0]!]: image });
    found.push(Float32Array.from(result[output]!.data as Float32Array));
  }
  await session.release();
  return found;
}

/** Root mean square of the differences over that of the outputs. */
export function relativeError(found: Float32Array[], expected: Float32Array[]): number {
  let [error, size] = [0, 0];
  for (const [i, row] of expected.entries()) {
    for (const [j, value] of row.entries()) {
      error += (found[i]![j]! - value) ** 2;
      size += value ** 2;
    }
  }
  return Math.sqrt(error / size);
}
