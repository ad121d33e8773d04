/** Writes a graph again with int8 weights and QuantizeLinear/DequantizeLinear pairs. */
import { intAttribute, makeNode, tensorType, type OnnxModel, type OnnxNode, type OnnxTensor } from '../onnx/graph.ts';
import { rawTensor, tensorToFloats } from '../onnx/tensors.ts';
import { type Affine, leastWeightScale, quantizeBias, quantizeWeights, roundingShift } from './parameters.ts';
import type { WeightedNode } from './plan.ts';

export interface Rewrite {
  weighted: readonly WeightedNode[];
  /** How each of the planned tensors becomes uint8. */
  activations: ReadonlyMap<string, Affine>;
  /** What is added to the sums of a layer with a bias, beside it: see `roundingShift`. */
  means: ReadonlyMap<string, Float32Array>;
  /** Weights of 7 bits. */
  reduceRange: boolean;
}

/**
 * A new model; `model` and its nodes stay as they are. The runtime fuses each pair with the node between: the graph computes
 * in integers, and other runtimes that know the standard operators can execute it as well.
 */
export function rewriteQuantized(
  model: OnnxModel,
  { weighted, activations, means, reduceRange }: Rewrite,
): OnnxModel {
  const { graph } = model;
  const floats = new Map(graph.initializer.map((tensor) => [tensor.name ?? '', tensor]));
  const made: OnnxTensor[] = [];
  const unique = uniqueNames(model);

  /** DequantizeLinear over constants; the name of its result. */
  const dequantize = (
    base: string,
    integers: OnnxTensor,
    scales: Float32Array,
    dims: number[],
    nodes: OnnxNode[],
    axis?: number,
  ) => {
    const scale = unique(`${base}_scale`);
    const zero = unique(`${base}_zero_point`);
    const zeros =
      integers.dataType === tensorType.int8 ? new Int8Array(scales.length) : new Int32Array(scales.length);
    made.push(integers, rawTensor(scale, dims, tensorType.float32, scales));
    made.push(rawTensor(zero, dims, integers.dataType!, zeros));
    const result = unique(`${base}_dequantized`);
    nodes.push(
      makeNode(
        'DequantizeLinear',
        [integers.name!, scale, zero],
        [result],
        axis === undefined ? {} : { axis },
      ),
    );
    return result;
  };

  /** Zeros where the node could have one; undefined for operators without. */
  const biasOf = ({ opType, input }: OnnxNode, channels: number): Float32Array | undefined => {
    if (input[2]) return tensorToFloats(floats.get(input[2])!);
    return opType === 'MatMul' ? undefined : new Float32Array(channels);
  };

  /** A copy of the node that reads its weights from int8 and its bias from int32. */
  const withIntegers = ({ node, axis }: WeightedNode, nodes: OnnxNode[]): OnnxNode => {
    const [input = '', weightName = ''] = node.input;
    const weight = floats.get(weightName)!;
    const inputScale = activations.get(input)!.scale;
    const values = tensorToFloats(weight);
    const bias = biasOf(node, weight.dims[axis]!);
    const { data, scales } = quantizeWeights(
      values,
      weight.dims,
      axis,
      reduceRange && !isDepthwise(node, weight.dims) ? 64 : 127,
      (channel) => (bias ? leastWeightScale(bias[channel]!, inputScale) : 0),
    );
    const base = node.output[0]!;
    const integers = rawTensor(unique(`${base}_weight`), weight.dims, tensorType.int8, data);
    const inputs = [input, dequantize(`${base}_weight`, integers, scales, [scales.length], nodes, axis)];
    if (bias !== undefined) {
      const groups = intAttribute(node, 'group', 1);
      const shift = roundingShift(values, { data, scales }, weight.dims, axis, means.get(input)!, groups);
      const rounded = quantizeBias(bias.map((value, channel) => value + shift[channel]!), inputScale, scales);
      const tensor = rawTensor(unique(`${base}_bias`), [bias.length], tensorType.int32, rounded.data);
      inputs.push(dequantize(`${base}_bias`, tensor, rounded.scales, [bias.length], nodes, 0));
    }
    return { ...node, input: inputs };
  };

  const quantizedName = new Map<string, string>();
  const nodes: OnnxNode[] = [];
  const quantizeActivation = (name: string) => {
    const affine = activations.get(name);
    if (affine === undefined) return;
    const [scale, zero, stored, result] = ['scale', 'zero_point', 'quantized', 'dequantized'].map((part) =>
      unique(`${name}_${part}`),
    ) as [string, string, string, string];
    made.push(rawTensor(scale, [], tensorType.float32, Float32Array.of(affine.scale)));
    made.push(rawTensor(zero, [], tensorType.uint8, Uint8Array.of(affine.zeroPoint)));
    nodes.push(makeNode('QuantizeLinear', [name, scale, zero], [stored]));
    nodes.push(makeNode('DequantizeLinear', [stored, scale, zero], [result]));
    quantizedName.set(name, result);
  };

  for (const { name } of graph.input) quantizeActivation(name ?? '');
  for (const original of graph.node) {
    const plan = weighted.find(({ node }) => node === original);
    const node = plan === undefined ? original : withIntegers(plan, nodes);
    nodes.push({ ...node, input: node.input.map((name) => quantizedName.get(name) ?? name) });
    for (const name of original.output) quantizeActivation(name);
  }
  const replaced = unreadConstants(model, weighted, nodes);
  const kept = graph.initializer.filter(({ name }) => !replaced.has(name ?? ''));
  const input = graph.input.filter(({ name }) => !replaced.has(name ?? ''));
  return {
    ...model,
    producerName: 'visionscale',
    graph: { ...graph, input, node: nodes, initializer: [...kept, ...made], valueInfo: [] },
  };
}

/** The float weights that nothing reads any more. */
function unreadConstants(
  model: OnnxModel,
  weighted: readonly WeightedNode[],
  nodes: readonly OnnxNode[],
): Set<string> {
  const read = new Set([
    ...nodes.flatMap(({ input }) => input),
    ...model.graph.output.map(({ name }) => name ?? ''),
  ]);
  const candidates = weighted.flatMap(({ node }) => node.input.slice(1));
  return new Set(candidates.filter((name) => !read.has(name)));
}

function uniqueNames({ graph }: OnnxModel): (wanted: string) => string {
  const taken = new Set([
    ...graph.initializer.map(({ name }) => name ?? ''),
    ...graph.input.map(({ name }) => name ?? ''),
    ...graph.node.flatMap(({ output }) => output),
  ]);
  return (wanted) => {
    let name = wanted;
    for (let n = 2; taken.has(name); n++) name = `${wanted}_${n}`;
    taken.add(name);
    return name;
  };
}

/** One channel each: the runtime adds these products in 32 bits on every processor. */
function isDepthwise(node: OnnxNode, [channels, each]: readonly number[]): boolean {
  return each === 1 && channels === intAttribute(node, 'group', 1) && channels > 1;
}
