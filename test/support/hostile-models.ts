/** Models that harm who runs them, and models that end in all the ways that classifiers end in. */
import {
  makeNode,
  floatValue,
  attributeType,
  tensorType,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
} from '../../src/lib/models/onnx/graph.ts';
import { parseOnnx, serializeOnnx } from '../../src/lib/models/onnx/onnx.ts';
import { floatTensor, rawTensor } from '../../src/lib/models/onnx/tensors.ts';
import { chanceSqueezeNet } from './squeezenet-models.ts';

export interface MeansOptions {
  /** Follow the means of red, green and blue, `means`, and end in `scores`. */
  nodes: readonly OnnxNode[];
  constants?: readonly OnnxTensor[];
  /** Side of the input; undefined: free. */
  side?: number | undefined;
  opset?: number;
  scores?: number;
  changes?: Partial<OnnxModel>;
}

/** A classifier of a few hundred bytes: the means of the colours, then `nodes`. */
export function meansModel(options: MeansOptions): OnnxModel {
  const { nodes, constants = [], opset = 13, scores = 3, changes = {} } = options;
  const side = 'side' in options ? options.side : 8;
  return {
    irVersion: 8,
    opsetImport: [
      { domain: '', version: opset },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: 'means',
      node: [
        makeNode('GlobalAveragePool', ['image'], ['pooled']),
        makeNode('Flatten', ['pooled'], ['means'], { axis: 1 }),
        ...nodes,
      ],
      initializer: [...constants],
      input: [floatValue('image', ['N', 3, side ?? 'height', side ?? 'width'])],
      output: [floatValue('scores', ['N', scores])],
      valueInfo: [],
      metadataProps: [],
    },
    metadataProps: [],
    ...changes,
  };
}

const empty = { floats: [], ints: [], strings: [], tensors: [], graphs: [] };

export function graphAttribute(name: string, g: OnnxGraph): OnnxAttribute {
  return { ...empty, name, type: attributeType.graph, g };
}

export function floatAttribute(name: string, f: number): OnnxAttribute {
  return { ...empty, name, type: attributeType.float, f };
}

export function body(
  node: readonly OnnxNode[],
  output: string,
  initializer: readonly OnnxTensor[] = [],
): OnnxGraph {
  return {
    name: 'body',
    node: [...node],
    initializer: [...initializer],
    input: [],
    output: [{ name: output }],
    valueInfo: [],
    metadataProps: [],
  };
}

export const int64s = (name: string, dims: readonly number[], ...values: bigint[]): OnnxTensor => {
  const rawData = new Uint8Array(BigInt64Array.from(values).buffer);
  return { ...rawTensor(name, dims, tensorType.int64, new Uint8Array()), rawData };
};

/** A SqueezeNet of free sides: of images of 8 pixels nothing is left, and a convolution divides by that. */
export function crashingModel(): Uint8Array {
  const model = parseOnnx(chanceSqueezeNet(3));
  model.graph.input = [floatValue('input', ['N', 3, 'height', 'width'])];
  return serializeOnnx(model);
}

/** Goes round 2⁶² times. */
export function endlessModel(): Uint8Array {
  const one = makeNode('Identity', ['going'], ['goes']);
  const two = makeNode('Add', ['value', 'value'], ['next']);
  const loop: OnnxGraph = {
    ...body([one, two], 'goes'),
    input: [
      { name: 'turn', type: { tensorType: { elemType: tensorType.int64, shape: { dim: [] } } } },
      { name: 'going', type: { tensorType: { elemType: 9, shape: { dim: [] } } } },
      floatValue('value', ['N', 3]),
    ],
    output: [
      { name: 'goes', type: { tensorType: { elemType: 9, shape: { dim: [] } } } },
      floatValue('next', ['N', 3]),
    ],
  };
  const node = makeNode('Loop', ['turns', 'yes', 'means'], ['scores']);
  node.attribute = [graphAttribute('body', loop)];
  const yes = rawTensor('yes', [], 9, Uint8Array.of(1));
  return serializeOnnx(meansModel({ nodes: [node], constants: [int64s('turns', [], 2n ** 62n), yes] }));
}

/** Wants `gigabytes` for one tensor, and touches all of it. */
export function greedyModel(gigabytes: number): Uint8Array {
  const count = BigInt(gigabytes * 2 ** 28);
  const nodes = [
    makeNode('Expand', ['one', 'shape'], ['many']),
    makeNode('Exp', ['many'], ['more']),
    makeNode('ReduceSum', ['more', 'axis'], ['sum'], { keepdims: 1 }),
    makeNode('Add', ['means', 'sum'], ['scores']),
  ];
  const constants = [
    floatTensor('one', [1, 1], Float32Array.of(0)),
    int64s('shape', [2], 1n, count),
    int64s('axis', [1], 1n),
  ];
  return serializeOnnx(meansModel({ nodes, constants }));
}
