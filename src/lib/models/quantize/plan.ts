/** Decides which parts of a graph compute in int8: convolutions, matrix products and what joins them. */
import { intAttribute } from '../onnx/nodes.ts';
import type { OnnxGraph, OnnxNode } from '../onnx/types.ts';
import { tensorType } from '../onnx/types.ts';

/** A node whose constant weights become int8. */
export interface WeightedNode {
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
    if (node.domain) continue;
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
