/** Ranges of tensors, found by running the network, and from them int8: scales, zero points and the rounded numbers. */
import { invalidModel } from '../format/model-files.ts';
import { floatValue, makeNode, type OnnxModel } from '../onnx/graph.ts';
import { serializeOnnx } from '../onnx/onnx.ts';

/** What uint8 stands for: real = (stored − zeroPoint) · scale. */
export interface Affine {
  scale: number;
  zeroPoint: number;
}

export interface Range {
  min: number;
  max: number;
}

/** Of float32; runtimes may take less for zero. */
const leastNormal = 2 ** -126;

/** Asymmetric uint8. Zero is always exact: it is what convolutions pad with, and where a ReLU begins. */
export function activationParameters({ min, max }: Range): Affine {
  const low = Math.min(0, min);
  const high = Math.max(0, max);
  const step = Math.fround((high - low) / 255);
  const scale = step < leastNormal ? 1 : step;
  return { scale, zeroPoint: Math.min(255, Math.max(0, roundHalfEven(-low / scale))) };
}

export interface QuantizedWeights {
  data: Int8Array;
  /** One an output channel. */
  scales: Float32Array;
}

/**
 * Symmetric, a scale for each channel along `axis`. `most` is the greatest magnitude: 127, or 64 where the CPU adds two
 * products in 16 bits. `leastScale` keeps a channel's bias within int32.
 */
export function quantizeWeights(
  data: Float32Array,
  dims: readonly number[],
  axis: number,
  most: number,
  leastScale: (channel: number) => number,
): QuantizedWeights {
  const channels = dims[axis]!;
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const channelOf = (index: number) => Math.floor(index / inner) % channels;
  const greatest = new Float32Array(channels);
  for (let i = 0; i < data.length; i++) {
    const channel = channelOf(i);
    greatest[channel] = Math.max(greatest[channel]!, Math.abs(data[i]!));
  }
  const scales = greatest.map((value, channel) => Math.max(value / most, leastScale(channel)) || 1);
  const quantized = new Int8Array(data.length);
  for (let i = 0; i < data.length; i++) {
    quantized[i] = Math.max(-most, Math.min(most, roundHalfEven(data[i]! / scales[channelOf(i)]!)));
  }
  return { data: quantized, scales };
}

/** In units of input scale times weight scale, in which the runtime adds. */
export function quantizeBias(
  bias: Float32Array,
  inputScale: number,
  scales: Float32Array,
): { data: Int32Array; scales: Float32Array } {
  const products = scales.map((scale) => scale * inputScale);
  return { data: Int32Array.from(bias, (value, i) => roundHalfEven(value / products[i]!)), scales: products };
}

/** The least weight scale with which `bias` fits into 30 bits. */
export function leastWeightScale(bias: number, inputScale: number): number {
  return Math.abs(bias) / (inputScale * 2 ** 30);
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

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
