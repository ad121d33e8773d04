/** Writes a graph again with its weights in int8 and QuantizeLinear/DequantizeLinear pairs where values are uint8. */
import { makeNode } from '../onnx/nodes.ts';
import { rawTensor, tensorToFloats } from '../onnx/tensors.ts';
import { tensorType, type OnnxModel, type OnnxNode, type OnnxTensor } from '../onnx/types.ts';
import type { Affine } from './parameters.ts';
import { leastWeightScale, quantizeBias, quantizeWeights } from './parameters.ts';
import type { WeightedNode } from './plan.ts';

export interface Rewrite {
  weighted: readonly WeightedNode[];
  /** How each of the planned tensors becomes uint8. */
  activations: ReadonlyMap<string, Affine>;
  /** Weights of 7 bits. */
  reduceRange: boolean;
}

/**
 * A new model; `model` and its nodes stay as they are. The runtime fuses each pair with the node between: the graph computes
 * in integers, and other runtimes that know the standard operators can execute it as well.
 */
export function rewriteQuantized(
  model: OnnxModel,
  { weighted, activations, reduceRange }: Rewrite,
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

  /** A copy of the node that reads its weights from int8 and its bias from int32. */
  const withIntegers = ({ node, axis }: WeightedNode, nodes: OnnxNode[]): OnnxNode => {
    const [input = '', weightName = '', biasName = ''] = node.input;
    const weight = floats.get(weightName)!;
    const inputScale = activations.get(input)!.scale;
    const bias = biasName === '' ? undefined : tensorToFloats(floats.get(biasName)!);
    const least = (channel: number) => (bias ? leastWeightScale(bias[channel] ?? 0, inputScale) : 0);
    const { data, scales } = quantizeWeights(
      tensorToFloats(weight),
      weight.dims,
      axis,
      reduceRange ? 64 : 127,
      least,
    );
    const base = node.output[0]!;
    const integers = rawTensor(unique(`${base}_weight`), weight.dims, tensorType.int8, data);
    const inputs = [input, dequantize(`${base}_weight`, integers, scales, [scales.length], nodes, axis)];
    if (bias !== undefined) {
      const rounded = quantizeBias(bias, inputScale, scales);
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
