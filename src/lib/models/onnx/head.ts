/** The head of a classifier: the last linear layer of its graph, found, and replaced by another one. */
import type { VisionscaleError } from '../../base/errors.ts';
import { type GraphBody, readGraphBody } from './graph-scope.ts';
import {
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValueInfo,
  intAttribute,
  intsAttribute,
  invalidOnnx,
  makeNode,
  noveltyOutput,
  opsetOf,
  tensorType,
} from './graph.ts';
import { floatTensor, rawTensor } from './tensors.ts';

/** A linear layer: `scores = weight · features + bias`. */
export interface LinearLayer {
  features: number;
  classes: number;
  /** `classes` rows of `features` values. */
  weight: Float32Array;
  bias: Float32Array;
}

/** Where the head is in its graph. */
interface HeadPlace {
  features: number;
  classes: number;
  kind: 'Gemm' | 'MatMul' | 'Conv';
  /** The tensor that the head takes, and the one that it makes. */
  input: string;
  output: string;
  /** The head's own nodes. */
  nodes: readonly OnnxNode[];
  /** From the head to the output; `isKept` where linear: what follows the head's scores in the new graph too. */
  behind: readonly { node: OnnxNode; isKept: boolean }[];
}

/** Of scores: what turns them into others of the same order, which a new head is trained without. */
const dropped = new Set('Softmax,LogSoftmax,Sigmoid,Relu,Clip,Dropout,Identity,Cast'.split(','));
/** What only shapes, and what means over positions, which for a linear layer may come before it or after it. */
const kept = new Set('Flatten,Reshape,Squeeze,Unsqueeze,GlobalAveragePool,AveragePool,ReduceMean'.split(','));

/** Every search ends, also in a file whose nodes form a circle. */
const mostSteps = 50;

/** How many values the head takes. Throws `model_invalid`. */
export function headFeatures(model: OnnxModel): number {
  return findHead(model).features;
}

/** The same graph with another head, and nothing behind it that bounds the scores. Throws `model_invalid`. */
export function withHead(model: OnnxModel, head: LinearLayer): OnnxModel {
  const bare = withoutNovelty(model);
  const place = findHead(bare);
  if (head.features !== place.features)
    throw noHead(`its last layer takes ${place.features} values, not ${head.features}`);
  const { graph } = bare;
  const output = graph.output[0]!;
  const replaced = new Set<OnnxNode>([...place.nodes, ...place.behind.map(({ node }) => node)]);
  const reshaped: OnnxTensor[] = [];
  const rename = new Map([[place.output, names.scores]]);
  const behind = place.behind.flatMap(({ node, isKept }) => {
    const from = rename.get(node.input[0]!) ?? node.input[0]!;
    if (!isKept) {
      rename.set(node.output[0]!, from);
      return [];
    }
    const input = [from, ...node.input.slice(1)];
    if (node.opType === 'Reshape') {
      const shape = reshapeOf(graph, node, own, [place.classes, head.classes]);
      if (shape !== undefined) {
        reshaped.push(shape);
        input[1] = shape.name!;
      }
    }
    return [{ ...node, input }];
  });
  const all = [...layer(place), ...behind];
  // The graph's output keeps its name, whatever made it.
  const last = all.at(-1)!;
  all[all.length - 1] = { ...last, output: [output.name!] };
  const node = [...graph.node.filter((one) => !replaced.has(one)), ...all];
  const { features, classes, weight, bias } = head;
  const [rows, columns] = place.kind === 'MatMul' ? [features, classes] : [classes, features];
  const values = place.kind === 'MatMul' ? transposed(weight, classes, features) : weight;
  const dims = place.kind === 'Conv' ? [rows, columns, 1, 1] : [rows, columns];
  const added = [floatTensor(names.weight, dims, values), floatTensor(names.bias, [classes], bias), ...reshaped];
  const initializer = [...graph.initializer.filter(({ name }) => !name?.startsWith(own)), ...added];
  const made = { ...graph, node, initializer, valueInfo: [], output: [resized(output, place.classes, classes)] };
  return { ...model, graph: withoutDead(made) };
}

/** The same graph with its scores as the only output. */
export function withoutNovelty(model: OnnxModel): OnnxModel {
  const { graph } = model;
  if (!graph.output.some(({ name }) => name === noveltyOutput)) return model;
  const output = graph.output.filter(({ name }) => name !== noveltyOutput);
  return { ...model, graph: withoutDead({ ...graph, output }) };
}

/** How the features of an image as a row come out of a graph: what its head takes, through what shapes or averages the scores. */
export interface FeaturePath {
  features: number;
  /** The tensor that holds them. */
  output: string;
  /** To be added to the graph. */
  nodes: OnnxNode[];
  tensors: OnnxTensor[];
}

/** The names of what is to be added begin with `prefix`. Throws `model_invalid`. */
export function featurePath(model: OnnxModel, prefix: string): FeaturePath {
  const { input, features, classes, behind } = findHead(model);
  const path: FeaturePath = { features, output: input, nodes: [], tensors: [] };
  for (const [i, { node, isKept }] of behind.entries()) {
    if (!isKept) continue;
    const inputs = [path.output, ...node.input.slice(1)];
    path.output = `${prefix}.path.${i}`;
    const shape =
      node.opType === 'Reshape' && reshapeOf(model.graph, node, `${path.output}.`, [classes, features]);
    if (shape) {
      path.tensors.push(shape);
      inputs[1] = shape.name!;
    }
    path.nodes.push({ ...node, name: path.output, input: inputs, output: [path.output] });
  }
  return path;
}

/** Scores are the features themselves: what a head learns from, by a graph of the parent's own operators. */
export function identityLayer(features: number): LinearLayer {
  const weight = new Float32Array(features * features);
  for (let i = 0; i < features; i++) weight[i * features + i] = 1;
  return { features, classes: features, weight, bias: new Float32Array(features) };
}

// Without a parent's names: graphs with the same layers below the head are then the same graph.
const own = 'visionscale.head.';
const names = { weight: `${own}weight`, bias: `${own}bias`, product: `${own}product`, scores: `${own}scores` };

function layer({ kind, input }: HeadPlace): OnnxNode[] {
  if (kind === 'Conv')
    return [makeNode('Conv', [input, names.weight, names.bias], [names.scores], { kernel_shape: [1, 1] })];
  if (kind === 'Gemm')
    return [makeNode('Gemm', [input, names.weight, names.bias], [names.scores], { transB: 1 })];
  return [
    makeNode('MatMul', [input, names.weight], [names.product]),
    makeNode('Add', [names.product, names.bias], [names.scores]),
  ];
}

/** Before it, Add and Gemm were other operators. */
const leastOpset = 7;

function findHead(model: OnnxModel): HeadPlace {
  const { graph, functions = [] } = withoutNovelty(model);
  const opset = opsetOf(model);
  if (opset < leastOpset) throw noHead(`it was exported for opset ${opset}; ${leastOpset} or later is needed`);
  const body = readGraphBody(graph.node, graph.initializer, []);
  const users = usersOf(graph);
  const made = new Set(functions.map(({ name, domain = '' }) => `${domain} ${name}`));
  const behind: { node: OnnxNode; isKept: boolean }[] = [];
  let name = graph.output[0]?.name ?? '';
  if (graph.output.length !== 1) throw noHead(`it has ${graph.output.length} outputs`);
  for (;;) {
    const node = body.producers.get(name)?.node;
    if (node === undefined) throw noHead('no layer of weights lies before its output');
    const { opType = '', domain = '' } = node;
    if (made.has(`${domain} ${opType}`)) throw noHead(`it ends in ${opType}, a function of its own`);
    if (domain !== '' && domain !== 'ai.onnx') throw noHead(`it ends in ${domain}.${opType}`);
    if (behind.length > 0 && (users.get(name) ?? 0) > 1)
      throw noHead(`what ${opType} makes near its end goes to several layers`);
    const linear = linearLayer(node, body, users);
    if (linear !== undefined) return { ...linear, output: name, behind: behind.reverse() };
    if (behind.length > mostSteps) throw noHead('its nodes form a circle');
    if (!dropped.has(opType) && !kept.has(opType)) 
      throw noHead(isQuantised(opType) ? quantised(opType) : `it ends in ${opType}`);
    behind.push({ node, isKept: kept.has(opType) });
    name = node.input[0] ?? '';
  }
}

const isQuantised = (opType: string) => /^(QLinear|Dequantize|Quantize|.*Integer)/.test(opType);

function quantised(opType: string): string {
  return `it is quantised (${opType}): use the model that it was made from`;
}

function linearLayer(
  node: OnnxNode,
  body: GraphBody,
  users: ReadonlyMap<string, number>,
): Pick<HeadPlace, 'features' | 'classes' | 'kind' | 'input' | 'nodes'> | undefined {
  const { opType, input } = node;
  const dims = (name: string | undefined) => constantDims(name ?? '', body);
  if (opType === 'Conv') {
    const [classes, features, ...kernel] = dims(input[1]) ?? [];
    if (classes === undefined || features === undefined) throw noHead('the weights of its last Conv are computed');
    const isPoint = kernel.every((side) => side === 1) && intAttribute(node, 'group', 1) === 1;
    const isPlain = (name: string, value: number) => intsAttribute(node, name, []).every((n) => n === value);
    if (!isPoint || !isPlain('strides', 1) || !isPlain('pads', 0))
      throw noHead(`its last Conv is ${kernel.join('×')}, not 1×1`);
    return { kind: 'Conv', features, classes, input: input[0]!, nodes: [node] };
  }
  if (opType === 'Gemm') {
    const weight = dims(input[1]);
    if (weight?.length !== 2 || intAttribute(node, 'transA', 0) !== 0)
      throw noHead('the weights of its last Gemm are computed');
    const [a, b] = weight as [number, number];
    const [features, classes] = intAttribute(node, 'transB', 0) === 1 ? [b, a] : [a, b];
    return { kind: 'Gemm', features, classes, input: input[0]!, nodes: [node] };
  }
  if (opType === 'MatMul') {
    const weight = dims(input[1]);
    if (weight?.length !== 2) throw noHead('the weights of its last MatMul are computed');
    const [features, classes] = weight as [number, number];
    return { kind: 'MatMul', features, classes, input: input[0]!, nodes: [node] };
  }
  if (opType === 'Add') {
    // The bias of a MatMul, on either side of it.
    const [a, b] = [input[0] ?? '', input[1] ?? ''];
    const product = dims(b) !== undefined ? a : dims(a) !== undefined ? b : '';
    const before = body.producers.get(product)?.node;
    if (before?.opType !== 'MatMul' || (users.get(product) ?? 0) > 1) return undefined;
    const inner = linearLayer(before, body, users);
    return inner && { ...inner, nodes: [before, node] };
  }
  return undefined;
}

/** How often each tensor is used, by branches and loops as well. */
function usersOf(graph: OnnxGraph): Map<string, number> {
  const users = new Map<string, number>();
  const used = [...graph.node.flatMap(usedBy), ...graph.output.map(({ name }) => name ?? '')];
  for (const name of used) users.set(name, (users.get(name) ?? 0) + 1);
  return users;
}

/** What a node takes, what its branches take from around them included. */
function usedBy({ input, attribute }: OnnxNode): string[] {
  const inner = attribute.flatMap(({ g, graphs }) => [...(g === undefined ? [] : [g]), ...graphs]);
  return [...input, ...inner.flatMap((graph) => graph.node.flatMap(usedBy))];
}

/** The dimensions of float32 weights, however the file holds them; undefined where they are not constant. */
function constantDims(name: string, body: GraphBody, depth = 0): readonly number[] | undefined {
  const stored = body.constants.get(name);
  if (stored !== undefined) return floatDims(stored);
  const node = body.producers.get(name)?.node;
  if (node === undefined || depth > mostSteps) return undefined;
  if (node.opType === 'DequantizeLinear') throw noHead(quantised(node.opType));
  if (node.opType !== 'Identity' && node.opType !== 'Transpose') return undefined;
  const inner = constantDims(node.input[0] ?? '', body, depth + 1);
  if (inner === undefined || node.opType === 'Identity') return inner;
  return intsAttribute(node, 'perm', [...inner.keys()].reverse()).map((axis) => inner[axis]!);
}

function floatDims({ dims, dataType }: OnnxTensor): readonly number[] {
  if (dataType === tensorType.float16) throw noHead('its weights are float16: export it with float32 weights');
  if (dataType !== tensorType.float32) throw noHead('its last layer has no float32 weights');
  return dims;
}

/** A shape that names the old number of classes, with the new one; undefined where it names none. */
function reshapeOf(
  graph: OnnxGraph,
  node: OnnxNode,
  prefix: string,
  [from, to]: readonly [number, number],
): OnnxTensor | undefined {
  const name = node.input[1] ?? '';
  const stored = readGraphBody(graph.node, graph.initializer, []).constants.get(name);
  if (stored?.rawData === undefined || stored.dataType !== tensorType.int64) return undefined;
  const bytes = new Uint8Array(stored.rawData);
  const sizes = [...new BigInt64Array(bytes.buffer)];
  if (!sizes.includes(BigInt(from))) return undefined;
  const changed = new BigInt64Array(sizes.map((size) => (size === BigInt(from) ? BigInt(to) : size)));
  return rawTensor(name.startsWith(prefix) ? name : `${prefix}${name}`, stored.dims, tensorType.int64, new Uint8Array(changed.buffer));
}

function resized(output: OnnxValueInfo, from: number, to: number): OnnxValueInfo {
  const dim = output.type?.tensorType?.shape?.dim;
  if (dim === undefined) return output;
  const shape = { dim: dim.map((one) => (one.dimValue === from ? { dimValue: to } : one)) };
  return { ...output, type: { ...output.type, tensorType: { ...output.type!.tensorType, shape } } };
}

/** Nodes and constants that nothing uses any more go. */
function withoutDead(graph: OnnxGraph): OnnxGraph {
  const needed = new Set(graph.output.map(({ name }) => name ?? ''));
  const node = graph.node
    .toReversed()
    .filter((one) => {
      if (!one.output.some((name) => needed.has(name))) return false;
      for (const name of usedBy(one)) needed.add(name);
      return true;
    })
    .reverse();
  const initializer = graph.initializer.filter(({ name }) => needed.has(name ?? ''));
  const given = new Set(graph.initializer.map(({ name }) => name));
  // Old files name their weights among the inputs too.
  const input = graph.input.filter(({ name }) => !given.has(name) || needed.has(name ?? ''));
  return { ...graph, node, initializer, input };
}

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) out[j * rows + i] = values[i * columns + j]!;
  return out;
}

function noHead(reason: string): VisionscaleError {
  return invalidOnnx(reason, {
    hint: 'Its last layer must be a Gemm, a MatMul (with Add) or a 1×1 Conv of float32 weights.',
  });
}
