/**
 * Decides which parts of a graph compute in int8: the layers of weights that the scores need, and what stands between two of
 * them. What comes before the first or behind the last, or serves another output than the scores, stays in float32.
 */
import { invalidModel } from '../format/model-files.ts';
import { intAttribute, tensorType, type OnnxGraph, type OnnxNode, type OnnxTensor } from '../onnx/graph.ts';

/** A layer whose constant weights become int8. */
export interface WeightedNode {
  node: OnnxNode;
  /** The dimension of the weights that counts the output channels. */
  axis: 0 | 1;
  /** Gives what the layer computes: the node itself, or the Add of constants behind a MatMul. */
  last: OnnxNode;
}

export interface QuantizationPlan {
  weighted: WeightedNode[];
  /** Tensors that become uint8, in groups that share one range. The first of a group comes first in the graph. */
  groups: string[][];
}

/** These hand their values on: in and out have one range. */
const passing = new Set(
  'MaxPool,GlobalMaxPool,Concat,Flatten,Reshape,Transpose,Squeeze,Unsqueeze,Identity,Dropout,Pad'.split(','),
);
/** Bounds that quantisation draws by itself: the runtime drops them before a QuantizeLinear. */
const bounding = new Set(['Relu', 'Clip']);
/** Means lie closer together than what they are means of: they get a range of their own. */
const averaging = new Set(['AveragePool', 'GlobalAveragePool', 'ReduceMean']);

/** The runtime takes these apart when it folds a graph. */
const composed = new Set(['HardSwish', 'Swish', 'Gelu', 'Mish']);

/** Of a graph before it is folded, where operators still have their names. Throws `model_invalid`. */
export function refuseComposed(graph: OnnxGraph): void {
  const layers = layersOf(graph, constantsOf(graph), readersOf(graph));
  refuse(between(graph, layers).filter(({ opType = '' }) => composed.has(opType)));
}

/** Throws `model_invalid`, naming what stands between the layers and has no good int8 form. */
export function planQuantization(graph: OnnxGraph): QuantizationPlan {
  const constants = constantsOf(graph);
  const outputs = new Set(graph.output.map(({ name }) => name ?? ''));
  const readers = readersOf(graph);
  const scores = graph.output[0]?.name ?? '';
  const layers = layersOf(graph, constants, readers);
  const weighted = [...layers.values()];
  const nodes = between(graph, layers);
  refuse(nodes.filter((node) => !isSupported(node, layers)));

  const readBetween = new Set(nodes.flatMap(({ input }) => input));
  const sums = new Set(weighted.map(({ node, last }) => (last === node ? undefined : last)));
  const groupOf = new Map<string, Set<string>>();
  const add = (name: string) => {
    const isQuantised = name !== '' && name !== scores && !constants.has(name);
    if (isQuantised && !groupOf.has(name)) groupOf.set(name, new Set([name]));
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
  /** Other scores keep float32: rounded to 8 bits, the best two may be equal. */
  const isRounded = (name: string) =>
    readBetween.has(name) || (readers.get(name) ?? []).some(({ opType = '' }) => averaging.has(opType));

  for (const node of nodes) {
    const { opType = '', input, output } = node;
    const last = layers.get(node)?.last;
    if (last !== undefined) {
      add(input[0]!);
      if (isRounded(end(last))) add(end(last));
    } else if (passing.has(opType)) {
      const joined = [...(opType === 'Concat' ? input : input.slice(0, 1)), output[0]!];
      for (const name of joined) add(name);
      join(joined);
    } else if (bounding.has(opType)) {
      if (!groupOf.has(output[0]!)) for (const name of [input[0]!, output[0]!]) add(name);
    } else if (!sums.has(node)) {
      for (const name of opType === 'Add' ? input : input.slice(0, 1)) add(name);
      add(end(node));
    }
  }
  return { weighted, groups: [...new Set(groupOf.values())].map((group) => [...group]) };
}

function isSupported(node: OnnxNode, layers: ReadonlyMap<OnnxNode, WeightedNode>): boolean {
  const { opType = '', domain = '' } = node;
  if (layers.has(node)) return true;
  if (domain !== '' && domain !== 'ai.onnx') return false;
  return opType === 'Add' || [passing, bounding, averaging].some((set) => set.has(opType));
}

/** Throws `model_invalid` where there are any. */
function refuse(nodes: readonly OnnxNode[]): void {
  if (nodes.length === 0) return;
  const named = (node: OnnxNode) =>
    `${node.domain ? `${node.domain}.` : ''}${node.opType ?? ''}${axisOf(node) === undefined ? '' : ' (its weights are computed)'}`;
  const names = [...new Set(nodes.map(named))];
  const hint = names.includes('BatchNormalization')
    ? 'Export the model with constant folding, which puts BatchNormalization into the convolutions before it.'
    : 'Networks of convolutions, matrix products, Relu or Clip, Add, Concat and pooling can be quantised: SqueezeNet, ResNet, ' +
      'MobileNetV2, EfficientNet-Lite.';
  throw invalidModel(`the model has operators that do not compute well in int8: ${names.join(', ')}`, { hint });
}

/** Nodes that what is `named` is computed from, in the graph's order. */
function upstream({ node }: OnnxGraph, named: readonly string[]): OnnxNode[] {
  const needed = new Set(named);
  return node
    .toReversed()
    .filter(({ input, output }) => {
      if (!output.some((name) => needed.has(name))) return false;
      for (const name of input) needed.add(name);
      return true;
    })
    .reverse();
}

/** The layers, and the nodes that compute from one what another takes. */
function between(graph: OnnxGraph, layers: ReadonlyMap<OnnxNode, unknown>): OnnxNode[] {
  const values = new Set<string>();
  const behind = new Set<OnnxNode>();
  for (const node of graph.node) {
    const isBehind = layers.has(node) || node.input.some((name) => values.has(name));
    if (!isBehind || node.opType === 'Shape') continue; // sizes are no values
    behind.add(node);
    for (const name of node.output) values.add(name);
  }
  const leading = new Set(upstream(graph, [...layers.keys()].flatMap(({ input }) => input)));
  return graph.node.filter((node) => behind.has(node) && (layers.has(node) || leading.has(node)));
}

function constantsOf(graph: OnnxGraph): Map<string, OnnxTensor> {
  return new Map(graph.initializer.map((tensor) => [tensor.name ?? '', tensor]));
}

function readersOf(graph: OnnxGraph): Map<string, OnnxNode[]> {
  const readers = new Map<string, OnnxNode[]>();
  for (const node of graph.node) {
    for (const name of node.input) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  return readers;
}

/** Those that the scores need, in the graph's order. */
function layersOf(
  graph: OnnxGraph,
  constants: ReadonlyMap<string, OnnxTensor>,
  readers: ReadonlyMap<string, OnnxNode[]>,
): Map<OnnxNode, WeightedNode> {
  const layers = upstream(graph, [graph.output[0]?.name ?? '']).flatMap((node) => layer(node, constants, readers) ?? []);
  return new Map(layers.map((one) => [one.node, one]));
}

/** Undefined for a node that is no layer of constant float32 weights. */
function layer(
  node: OnnxNode,
  constants: ReadonlyMap<string, OnnxTensor>,
  readers: ReadonlyMap<string, OnnxNode[]>,
): WeightedNode | undefined {
  const axis = axisOf(node);
  const weight = constants.get(node.input[1] ?? '');
  if (axis === undefined || weight?.dataType !== tensorType.float32) return undefined;
  if (node.opType === 'MatMul') {
    if (weight.dims.length !== 2) return undefined;
    const [next, ...others] = readers.get(node.output[0]!) ?? [];
    const isBias = next?.opType === 'Add' && others.length === 0 && next.input.some((name) => constants.has(name));
    return { node, axis, last: isBias ? next : node };
  }
  if (!node.input[2]) return { node, axis, last: node };
  const bias = constants.get(node.input[2]);
  const isPerChannel = bias?.dataType === tensorType.float32 && bias.dims.join() === `${weight.dims[axis]}`;
  return isPerChannel ? { node, axis, last: node } : undefined;
}

/** Where a node's weights count its output channels; undefined for nodes that are not to be quantised. */
function axisOf(node: OnnxNode): 0 | 1 | undefined {
  if (node.domain) return undefined;
  if (node.opType === 'Conv') return 0;
  if (node.opType === 'MatMul') return 1;
  if (node.opType !== 'Gemm' || intAttribute(node, 'transA', 0) !== 0) return undefined;
  const scaled = node.attribute.some(
    ({ name, f }) => (name === 'alpha' || name === 'beta') && (f ?? 1) !== 1,
  );
  return scaled ? undefined : intAttribute(node, 'transB', 0) === 1 ? 0 : 1;
}
