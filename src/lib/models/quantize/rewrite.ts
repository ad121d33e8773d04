/** Decides which parts of a graph compute in int8, and writes it again with int8 weights and QuantizeLinear/DequantizeLinear pairs. */
import { makeNode, tensorType, type OnnxModel, type OnnxNode, type OnnxTensor, intAttribute, type OnnxGraph } from '../onnx/graph.ts';
import { isNoveltyNode } from '../onnx/novelty.ts';
import { rawTensor, tensorToFloats } from '../onnx/tensors.ts';
import { type Affine, leastWeightScale, quantizeBias, quantizeWeights } from './parameters.ts';

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

// Decides which parts of a graph compute in int8: convolutions, matrix products and what joins them.

/** A node whose constant weights become int8. */
interface WeightedNode {
  node: OnnxNode;
  /** The dimension of the weights that counts the output channels. */
  axis: 0 | 1;
}

export interface QuantizationPlan {
  weighted: WeightedNode[];
  /** Tensors that become uint8, in groups that share one range. The first of a group comes first in the graph. */
  groups: string[][];
}

/** These hand their values on: in and out must have one range. */
const passing = new Set(['MaxPool', 'Concat', 'Flatten', 'Reshape', 'Transpose', 'Squeeze', 'Unsqueeze']);
/** Bounds that quantisation draws by itself: the runtime drops them before a QuantizeLinear. */
const bounding = new Set(['Relu', 'Clip']);

export function planQuantization(graph: OnnxGraph): QuantizationPlan {
  const constants = new Map(graph.initializer.map((tensor) => [tensor.name ?? '', tensor]));
  const isFloat = (name: string) => constants.get(name)?.dataType === tensorType.float32;
  const outputs = new Set(graph.output.map(({ name }) => name ?? ''));
  const readers = readersOf(graph);
  const groupOf = new Map<string, Set<string>>();
  const add = (name: string) => {
    if (!groupOf.has(name) && !outputs.has(name)) groupOf.set(name, new Set([name]));
  };
  const join = (names: readonly string[]) => {
    const joined = new Set(names.flatMap((name) => [...(groupOf.get(name) ?? [])]));
    for (const name of joined) groupOf.set(name, joined);
  };
  /** What a node gives, behind the ReLU that follows it. */
  const end = (node: OnnxNode): string => {
    const [next, ...others] = readers.get(node.output[0]!) ?? [];
    const bounded = next !== undefined && others.length === 0 && bounding.has(next.opType ?? '');
    return bounded && !outputs.has(node.output[0]!) ? next.output[0]! : node.output[0]!;
  };

  const weighted: WeightedNode[] = [];
  for (const node of graph.node) {
    if (node.domain || isNoveltyNode(node)) continue;
    const inputs = node.input.filter((name) => name !== '' && !constants.has(name));
    const axis = weightAxis(node);
    if (axis !== undefined && isFloat(node.input[1] ?? '') && (!node.input[2] || isFloat(node.input[2]))) {
      weighted.push({ node, axis });
      add(node.input[0]!);
      add(end(node));
    } else if (passing.has(node.opType ?? '') && inputs.every((name) => groupOf.has(name))) {
      add(node.output[0]!);
      if (groupOf.has(node.output[0]!)) join([...inputs, node.output[0]!]);
    } else if (node.opType === 'Add' && inputs.length === 2 && inputs.every((name) => groupOf.has(name))) {
      add(end(node));
    }
  }
  return { weighted, groups: [...new Set(groupOf.values())].map((group) => [...group]) };
}

function readersOf(graph: OnnxGraph): Map<string, OnnxNode[]> {
  const readers = new Map<string, OnnxNode[]>();
  for (const node of graph.node) {
    for (const name of node.input) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  return readers;
}

/** Where a node's weights count its output channels; undefined for nodes that are not to be quantised. */
function weightAxis(node: OnnxNode): 0 | 1 | undefined {
  if (node.opType === 'Conv') return 0;
  if (node.opType !== 'Gemm' || intAttribute(node, 'transA', 0) !== 0) return undefined;
  const scaled = node.attribute.some(
    ({ name, f }) => (name === 'alpha' || name === 'beta') && (f ?? 1) !== 1,
  );
  return scaled ? undefined : intAttribute(node, 'transB', 0) === 1 ? 0 : 1;
}
