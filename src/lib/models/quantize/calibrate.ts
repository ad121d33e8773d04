/** Finds the range of every tensor that is to become uint8, by running the network on images. */
import { invalidModel } from '../format/model-files.ts';
import { floatValue, makeNode } from '../onnx/nodes.ts';
import { serializeOnnx } from '../onnx/onnx.ts';
import type { OnnxModel } from '../onnx/types.ts';
import type { Range } from './parameters.ts';

/** One range for each group, over all of `inputs` (each an image of 3×`side`×`side`, NCHW). Throws `model_invalid`. */
export async function calibrate(
  model: OnnxModel,
  groups: readonly string[][],
  side: number,
  inputs: AsyncIterable<Float32Array>,
): Promise<Range[]> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const session = await InferenceSession.create(serializeOnnx(observed(model, groups)), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  try {
    const ranges = groups.map(() => ({ min: Infinity, max: -Infinity }));
    const fetches = groups.flatMap((group, g) => group.flatMap((_, i) => [`min:${g}:${i}`, `max:${g}:${i}`]));
    for await (const input of inputs) {
      const image = new Tensor('float32', input, [1, 3, side, side]);
      const found = await session.run({ [session.inputNames[0]!]: image }, fetches);
      for (const name of fetches) {
        const [kind, group] = name.split(':');
        const range = ranges[Number(group)]!;
        const value = (found[name]!.data as Float32Array)[0]!;
        if (!Number.isFinite(value)) {
          throw invalidModel('the model computes values that are not numbers', {
            hint: 'Its weights are damaged or need another preprocessing than its model.json says.',
          });
        }
        if (kind === 'min') range.min = Math.min(range.min, value);
        else range.max = Math.max(range.max, value);
      }
    }
    return ranges;
  } finally {
    await session.release();
  }
}

/** A copy of the model that also gives the least and the greatest value of every tensor of the groups. */
function observed(model: OnnxModel, groups: readonly string[][]): OnnxModel {
  const { graph } = model;
  const node = [...graph.node];
  const output = [...graph.output];
  for (const [g, group] of groups.entries()) {
    for (const [i, tensor] of group.entries()) {
      for (const [kind, opType] of [
        ['min', 'ReduceMin'],
        ['max', 'ReduceMax'],
      ] as const) {
        const name = `${kind}:${g}:${i}`;
        node.push(makeNode(opType, [tensor], [name], { keepdims: 0 }));
        output.push(floatValue(name, []));
      }
    }
  }
  return { ...model, graph: { ...graph, node, output } };
}
