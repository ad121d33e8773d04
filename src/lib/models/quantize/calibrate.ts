/** Runs the network on images to see what its tensors hold: ranges, and means of what the layers take. */
import { invalidModel } from '../format/model-files.ts';
import { floatValue, makeNode, tensorType, type OnnxModel, type OnnxValueInfo } from '../onnx/graph.ts';
import { serializeOnnx } from '../onnx/onnx.ts';
import type { Range } from './parameters.ts';
import type { QuantizationPlan } from './plan.ts';

export interface Calibration {
  /** One for each group of the plan, over all images. */
  ranges: Range[];
  /** Of each channel of the tensors that layers with biases take, over all images and positions. */
  means: Map<string, Float32Array>;
  images: number;
}

/**
 * `inputs` are images of 3×`side`×`side`, NCHW. The graph itself reduces its tensors to what is asked: one image's activations
 * are held at a time, and none of them leave the runtime. Throws `model_invalid`.
 */
export async function calibrate(
  model: OnnxModel,
  { groups, weighted }: QuantizationPlan,
  side: number,
  inputs: AsyncIterable<Float32Array>,
): Promise<Calibration> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const looks = [...extremes(groups), ...channelMeans(weighted)];
  const session = await InferenceSession.create(serializeOnnx(observed(model, looks)), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  try {
    const ranges = groups.map(() => ({ min: Infinity, max: -Infinity }));
    const sums = new Map<string, Float64Array>();
    const fetches = looks.map(({ name }) => name);
    let images = 0;
    for await (const input of inputs) {
      images++;
      const image = new Tensor('float32', input, [1, 3, side, side]);
      const found = await session.run({ [session.inputNames[0]!]: image }, fetches);
      for (const { name, tensor, group, opType } of looks) {
        const values = found[name]!.data as Float32Array;
        if (!values.every(Number.isFinite)) {
          throw invalidModel('the model computes values that are not numbers', {
            hint: 'Its weights are damaged or need another preprocessing than its model.json says.',
          });
        }
        if (group === undefined) {
          const sum = sums.get(tensor) ?? new Float64Array(values.length);
          values.forEach((value, channel) => (sum[channel]! += value));
          sums.set(tensor, sum);
          continue;
        }
        const range = ranges[group]!;
        if (opType === 'ReduceMin') range.min = Math.min(range.min, values[0]!);
        else range.max = Math.max(range.max, values[0]!);
      }
    }
    const means = new Map([...sums].map(([tensor, sum]) => [tensor, Float32Array.from(sum, (one) => one / images)]));
    return { ranges, means, images };
  } finally {
    await session.release();
  }
}

/** One more node and output of the graph. */
interface Look {
  name: string;
  opType: string;
  tensor: string;
  /** Whose range it widens; undefined for means. */
  group?: number;
}

function extremes(groups: readonly string[][]): Look[] {
  return groups.flatMap((tensors, group) =>
    tensors.flatMap((tensor, i) => [
      { name: `min:${group}:${i}`, opType: 'ReduceMin', tensor, group },
      { name: `max:${group}:${i}`, opType: 'ReduceMax', tensor, group },
    ]),
  );
}

function channelMeans(weighted: QuantizationPlan['weighted']): Look[] {
  const opTypes = new Map<string, string>();
  for (const { node } of weighted) {
    // The rows of a matrix are channels already.
    if (node.opType !== 'MatMul') opTypes.set(node.input[0]!, node.opType === 'Conv' ? 'GlobalAveragePool' : 'Identity');
  }
  return [...opTypes].map(([tensor, opType], i) => ({ name: `mean:${i}`, opType, tensor }));
}

/** A copy of the model with the looks as outputs. */
function observed(model: OnnxModel, looks: readonly Look[]): OnnxModel {
  const { graph } = model;
  const nodes = looks.map(({ name, opType, tensor, group }) =>
    makeNode(opType, [tensor], [name], group === undefined ? {} : { keepdims: 0 }),
  );
  const outputs = looks.map(({ name, group }) => (group === undefined ? unshaped(name) : floatValue(name, [])));
  return { ...model, graph: { ...graph, node: [...graph.node, ...nodes], output: [...graph.output, ...outputs] } };
}

function unshaped(name: string): OnnxValueInfo {
  return { name, type: { tensorType: { elemType: tensorType.float32 } } };
}
