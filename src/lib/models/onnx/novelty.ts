/** The end of a graph that tells how unlike training an image is: operations behind the features, and a second output. */
import {
  floatValue,
  invalidOnnx,
  makeNode,
  noveltyOutput,
  opsetOf,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
} from './graph.ts';
import { featurePath, withoutNovelty } from './head.ts';
import { floatTensor, initializer, integerTensor, tensorToFloats } from './tensors.ts';

/**
 * The features, scaled to length 1, or their square roots are mapped to where the classes vary alike in all directions, in units of
 * the threshold. The novelty is the distance to the nearest of the classes' means there: 1 or more is unknown.
 */
export interface NoveltyLayer {
  /** Whether the features are scaled to length 1; else their square roots are taken. */
  isScaled: boolean;
  features: number;
  classes: number;
  /** `features` rows of as many values: row j is what feature j adds to each coordinate. */
  map: Float32Array;
  /** Added to the mapped features: puts the mean of all images near the origin, where rounding is small. */
  offset: Float32Array;
  /** `classes` rows: the mean of each class, mapped. */
  centres: Float32Array;
}

/** Features of this length and below have no direction. */
const least = 1e-12;

/** What the graph computes of one image's `row` of features: for engines that do not execute graphs. */
export function noveltyOf(layer: NoveltyLayer, row: Float32Array): number {
  const { isScaled, features, classes, map, offset, centres } = layer;
  const divisor = isScaled ? lengthOf(row) + least : 1;
  const at = Float64Array.from(offset);
  for (let j = 0; j < features; j++) {
    const value = isScaled ? row[j]! / divisor : rootOf(row[j]!);
    if (value === 0) continue;
    for (let k = 0, from = j * features; k < features; k++) at[k]! += value * map[from + k]!;
  }
  let nearest = Infinity;
  for (let c = 0; c < classes; c++) {
    let distance = 0;
    for (let k = 0, from = c * features; k < features; k++) distance += (at[k]! - centres[from + k]!) ** 2;
    nearest = Math.min(nearest, distance);
  }
  return Math.sqrt(nearest);
}

export function lengthOf(row: Float32Array): number {
  let squares = 0;
  for (const value of row) squares += value * value;
  return Math.sqrt(squares);
}

/** With the sign of the value. */
export function rootOf(value: number): number {
  return value < 0 ? -Math.sqrt(-value) : Math.sqrt(value);
}

const own = noveltyOutput;
const name = (part: string) => `${own}.${part}`;

/** A node that `withNovelty` has added: its numbers are differences of close ones, which int8 would lose. */
function isNoveltyNode({ output }: OnnxNode): boolean {
  return output[0]?.startsWith(own) === true;
}

export function hasNovelty({ graph }: OnnxModel): boolean {
  return graph.output.some((output) => output.name === own);
}

/** The same graph with a second output, one value an image; it replaces what told novelty before. Throws `model_invalid`. */
export function withNovelty(model: OnnxModel, layer: NoveltyLayer): OnnxModel {
  const bare = withoutNovelty(model);
  const path = featurePath(bare, own);
  const { features, classes, map, offset, centres } = layer;
  if (features !== path.features)
    throw invalidOnnx(`its last layer takes ${path.features} values, not ${features}`);
  const { nodes, tensors } = operations(path.output, opsetOf(model), layer);
  // |z − m|² = |z|² − 2 z·m + |m|², so that one product with all means does.
  const twice = new Float32Array(features * classes);
  const lengths = new Float32Array(classes);
  for (let c = 0; c < classes; c++) {
    for (let k = 0; k < features; k++) {
      const value = centres[c * features + k]!;
      twice[k * classes + c] = -2 * value;
      lengths[c]! += value * value;
    }
  }
  const added = [
    ...tensors,
    floatTensor(name('map'), [features, features], map),
    floatTensor(name('offset'), [features], offset),
    floatTensor(name('centres'), [features, classes], twice),
    floatTensor(name('lengths'), [classes], lengths),
  ];
  const { graph } = bare;
  return {
    ...bare,
    graph: {
      ...graph,
      node: [...graph.node, ...path.nodes, ...nodes],
      initializer: [...graph.initializer, ...path.tensors, ...added],
      output: [...graph.output, floatValue(own, ['N'])],
    },
  };
}

/** The layer behind the second output; undefined without one. Throws `model_invalid` where other operations make it. */
export function readNovelty(model: OnnxModel): NoveltyLayer | undefined {
  const { graph } = model;
  if (!hasNovelty(model)) return undefined;
  const [offset, centres] = [tensor(graph, 'offset'), tensor(graph, 'centres')];
  const [features = 0, classes = 0] = centres.dims;
  const twice = tensorToFloats(centres);
  const layer = {
    isScaled: graph.node.some(({ output }) => output[0] === name('unit')),
    features,
    classes,
    map: tensorToFloats(tensor(graph, 'map')),
    offset: tensorToFloats(offset),
    centres: Float32Array.from({ length: twice.length }, (_, i) => {
      const [c, k] = [Math.floor(i / features), i % features];
      return twice[k * classes + c]! / -2;
    }),
  };
  if (layer.map.length !== features ** 2 || layer.offset.length !== features) throw notOurs();
  if (ends(graph) !== ends(withNovelty(model, layer).graph)) throw notOurs();
  return layer;
}

function tensor(graph: OnnxGraph, part: string): OnnxTensor {
  return initializer(graph, name(part)) ?? refuse();
}

function refuse(): never {
  throw notOurs();
}

function notOurs() {
  return invalidOnnx(`the output ${own} is not made by the operations that training writes`, {
    hint: 'Use --engine onnx or --engine wasm, or train the model again.',
  });
}

/** Everything that is computed for the second output, as text; without the large tensors, which any values may be. */
function ends({ node, initializer: tensors }: OnnxGraph): string {
  const large = new Set(['map', 'offset', 'centres', 'lengths'].map(name));
  const small = tensors.filter((one) => one.name?.startsWith(own) && !large.has(one.name));
  const told = ({ opType, domain = '', input, output, attribute }: OnnxNode) =>
    [opType, domain, input, output, attribute.map(({ name, i, ints, f, s }) => [name, String(i), ints.map(String), f, s?.join()])];
  const held = ({ name, dims, dataType, rawData }: OnnxTensor) => [name, dims, dataType, rawData?.join()];
  const texts = [...node.filter(isNoveltyNode).map(told), ...small.map(held)].map((one) => JSON.stringify(one));
  return texts.sort().join('\n');
}

/** Of operators that mean the same since opset 7, but for the axes of ReduceMin, which became an input. */
function operations(input: string, opset: number, { isScaled, features }: NoveltyLayer) {
  const tensors = [
    integerTensor(name('rows'), [-1, features]),
    integerTensor(name('one'), [-1]),
    floatTensor(name('ones'), [features, 1], new Float32Array(features).fill(1)),
  ];
  const nodes: OnnxNode[] = [];
  const add = (op: string, inputs: readonly string[], output: string, attributes = {}) => {
    nodes.push(makeNode(op, inputs, [output], attributes));
    return output;
  };
  const sumOfSquares = (of: string, called: string) =>
    add('MatMul', [add('Mul', [of, of], name(`${called}.squared`)), name('ones')], name(called));

  const rows = add('Reshape', [input, name('rows')], name('features'));
  const scaled = () => {
    tensors.push(floatTensor(name('least'), [1], Float32Array.of(least)));
    const length = add('Sqrt', [sumOfSquares(rows, 'square')], name('length'));
    return add('Div', [rows, add('Add', [length, name('least')], name('divisor'))], name('unit'));
  };
  const rootOfPositive = (of: string, called: string) =>
    add('Sqrt', [add('Relu', [of], name(`${called}.positive`))], name(called));
  const roots = () => {
    const below = rootOfPositive(add('Neg', [rows], name('negated')), 'below');
    return add('Sub', [rootOfPositive(rows, 'above'), below], name('roots'));
  };
  const product = add('MatMul', [isScaled ? scaled() : roots(), name('map')], name('product'));
  const mapped = add('Add', [product, name('offset')], name('mapped'));
  const crossed = add('MatMul', [mapped, name('centres')], name('crossed'));
  const partial = add('Add', [crossed, name('lengths')], name('partial'));
  let nearest: string;
  if (opset >= 18) {
    tensors.push(integerTensor(name('axis'), [1]));
    nearest = add('ReduceMin', [partial, name('axis')], name('nearest'), { keepdims: 1 });
  } else {
    nearest = add('ReduceMin', [partial], name('nearest'), { axes: [1], keepdims: 1 });
  }
  const squared = add('Add', [sumOfSquares(mapped, 'far'), nearest], name('distance.squared'));
  const distance = add('Sqrt', [add('Relu', [squared], name('distance.bounded'))], name('distance'));
  add('Reshape', [distance, name('one')], own);
  return { nodes, tensors };
}
