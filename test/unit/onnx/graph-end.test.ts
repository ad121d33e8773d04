/** What a classifier's graph ends in, whatever stands between its last operator of meaning and its output. */
import { describe, expect, it } from 'vitest';
import { graphEnd } from '../../../src/lib/models/onnx/graph-end.ts';
import {
  makeNode,
  tensorType,
  type OnnxFunction,
  type OnnxNode,
} from '../../../src/lib/models/onnx/graph.ts';
import { parseOnnx, serializeOnnx } from '../../../src/lib/models/onnx/onnx.ts';
import { floatTensor, rawTensor } from '../../../src/lib/models/onnx/tensors.ts';
import {
  body,
  floatAttribute,
  graphAttribute,
  int64s,
  meansModel,
  type MeansOptions,
} from '../../support/hostile-models.ts';

const one = floatTensor('one', [], Float32Array.of(1));
const zero = floatTensor('zero', [], Float32Array.of(0));
const scale = floatTensor('scale', [], Float32Array.of(1 / 256));
const point = rawTensor('point', [], tensorType.uint8, Uint8Array.of(0));
const axis = int64s('axis', [1], 1n);
const constants = [one, zero, scale, point, axis, int64s('shape', [2], 0n, -1n)];

/** As it comes back from a file. */
function endOf(nodes: OnnxNode[], more: Partial<MeansOptions> = {}) {
  return graphEnd(parseOnnx(serializeOnnx(meansModel({ nodes, constants, ...more }))));
}

const node = makeNode;
const of = (op: string, from = 'means', to = 'scores') => node(op, [from], [to]);
const microsoft = (made: OnnxNode): OnnxNode => ({ ...made, domain: 'com.microsoft' });

const ends: [string, string, OnnxNode[]][] = [
  ['a softmax', 'shares', [of('Softmax')]],
  ['a sigmoid', 'independent', [of('Sigmoid')]],
  ['a hard sigmoid', 'independent', [of('HardSigmoid')]],
  ['a softmax’s logarithm', 'log-shares', [of('LogSoftmax')]],
  ['the logarithm of a softmax', 'log-shares', [of('Softmax', 'means', 'p'), of('Log', 'p')]],
  ['the exponential of that', 'shares', [of('LogSoftmax', 'means', 'l'), of('Exp', 'l')]],
  ['a matrix product', 'open', [node('MatMul', ['means', 'one'], ['scores'])]],
  ['a ReLU', 'open', [of('Relu')]],
  [
    'a softmax behind all that shapes',
    'shares',
    [
      of('Softmax', 'means', 'a'),
      of('Identity', 'a', 'b'),
      node('Cast', ['b'], ['c'], { to: tensorType.float16 }),
      node('Cast', ['c'], ['d'], { to: tensorType.float32 }),
      node('Unsqueeze', ['d', 'axis'], ['e']),
      node('Squeeze', ['e', 'axis'], ['f']),
      node('Transpose', ['f'], ['g'], { perm: [0, 1] }),
      node('Reshape', ['g', 'shape'], ['h']),
      node('Clip', ['h', 'zero', 'one'], ['i']),
      node('Flatten', ['i'], ['scores'], { axis: 1 }),
    ],
  ],
  [
    'a quantised softmax',
    'shares',
    [
      of('Softmax', 'means', 'p'),
      node('QuantizeLinear', ['p', 'scale', 'point'], ['q']),
      node('DequantizeLinear', ['q', 'scale', 'point'], ['scores']),
    ],
  ],
  [
    'a softmax of integers',
    'shares',
    [
      node('QuantizeLinear', ['means', 'scale', 'point'], ['q']),
      microsoft(node('QLinearSoftmax', ['q', 'scale', 'point', 'scale', 'point'], ['p'], { opset: 13 })),
      node('DequantizeLinear', ['p', 'scale', 'point'], ['scores']),
    ],
  ],
  [
    'a softmax spelled out',
    'shares',
    [
      of('Exp', 'means', 'e'),
      node('ReduceSum', ['e', 'axis'], ['s'], { keepdims: 1 }),
      node('Div', ['e', 's'], ['scores']),
    ],
  ],
  [
    'a softmax spelled out with a reciprocal',
    'shares',
    [
      of('Exp', 'means', 'e'),
      node('ReduceSum', ['e', 'axis'], ['s'], { keepdims: 1 }),
      node('Add', ['s', 'one'], ['t']),
      of('Reciprocal', 't', 'r'),
      node('Mul', ['e', 'r'], ['scores']),
    ],
  ],
  [
    'a sigmoid spelled out',
    'independent',
    [
      of('Neg', 'means', 'n'),
      of('Exp', 'n', 'e'),
      node('Add', ['one', 'e'], ['s']),
      node('Div', ['one', 's'], ['scores']),
    ],
  ],
  [
    'what a sigmoid leaves of one',
    'independent',
    [of('Sigmoid', 'means', 'p'), node('Sub', ['one', 'p'], ['scores'])],
  ],
  ['a clip to 0 and 1', 'independent', [node('Clip', ['means', 'zero', 'one'], ['scores'])]],
  [
    'an old clip to 0 and 1',
    'independent',
    [{ ...of('Clip'), attribute: [floatAttribute('min', 0), floatAttribute('max', 1)] }],
  ],
  [
    'a mean of two softmaxes',
    'shares',
    [of('Softmax', 'means', 'p'), of('Softmax', 'p', 'q'), node('Mean', ['p', 'q'], ['scores'])],
  ],
  ['the greatest', 'indices', [node('ArgMax', ['means'], ['scores'], { axis: 1 })]],
  [
    'the greatest, cast',
    'indices',
    [node('ArgMax', ['means'], ['i'], { axis: 1 }), node('Cast', ['i'], ['scores'], { to: 1 })],
  ],
  ['the best few', 'indices', [node('TopK', ['means', 'axis'], ['scores', 'which'])]],
  ['something else', 'unknown', [of('Tanh')]],
];

describe('the end of a graph', () => {
  it.each(ends)('%s: %s', (_, kind, nodes) => {
    expect(endOf(nodes).kind).toBe(kind);
  });

  it('with a step where the scores were rounded', () => {
    for (const quantised of ['a quantised softmax', 'a softmax of integers'])
      expect(endOf(ends.find(([name]) => name === quantised)![2]).step).toBe(1 / 256);
    expect(endOf([of('Softmax')]).step).toBe(0);
  });

  it('with parts where some scores are left out', () => {
    const slice = node('Slice', ['p', 'axis', 'axis', 'axis'], ['scores']);
    expect(endOf([of('Softmax', 'means', 'p'), slice])).toMatchObject({ kind: 'shares', parts: true });
  });

  it('in a function, and through its arguments', () => {
    const made: OnnxFunction = {
      name: 'scored',
      domain: 'own',
      input: ['x', 'y'],
      output: ['z'],
      node: [of('Identity', 'y', 'z')],
      attributeProto: [],
    };
    const call = { ...node('scored', ['means', 'p'], ['scores']), domain: 'own' };
    const changes = { functions: [made] };
    expect(endOf([of('Softmax', 'means', 'p'), call], { changes }).kind).toBe('shares');
    const inside = { ...made, node: [of('Sigmoid', 'y', 'z')] };
    expect(endOf([of('Softmax', 'means', 'p'), call], { changes: { functions: [inside] } }).kind).toBe(
      'independent',
    );
  });

  it('of functions that call each other without end, and of nodes in a circle', () => {
    const turn: OnnxFunction = {
      name: 'turn',
      domain: 'own',
      input: ['x'],
      output: ['y'],
      node: [{ ...of('turn', 'x', 'y'), domain: 'own' }],
      attributeProto: [],
    };
    const call = { ...of('turn'), domain: 'own' };
    expect(endOf([call], { changes: { functions: [turn] } }).kind).toBe('unknown');
    expect(endOf([of('Identity', 'b', 'scores'), of('Identity', 'scores', 'b')]).kind).toBe('unknown');
  });

  it('of a function that calls itself, whose body is read once', () => {
    let reads = 0;
    const nodes = [{ ...of('again', 'x', 'y'), domain: 'own' }];
    const again: OnnxFunction = {
      name: 'again',
      domain: 'own',
      input: ['x'],
      output: ['y'],
      get node() {
        reads++;
        return nodes;
      },
      attributeProto: [],
    };
    const call = { ...of('again'), domain: 'own' };
    const model = meansModel({ nodes: [call], constants, changes: { functions: [again] } });
    expect(graphEnd(model).kind).toBe('unknown');
    expect(reads).toBe(1);
  });

  it('of many inputs, up to a number of them', () => {
    const joined = (count: number) =>
      endOf([
        of('Softmax', 'means', 'p'),
        node('Concat', ['p', ...Array<string>(count).fill('zero')], ['scores']),
      ]);
    expect(joined(1000).kind).toBe('shares');
    expect(joined(30_000).kind).toBe('unknown');
  });

  it('in both branches of an If', () => {
    const branch = (op: string) => body([of(op, 'means', 'made')], 'made');
    const either = (a: string, b: string) => {
      const choice = node('If', ['zero'], ['scores']);
      choice.attribute = [graphAttribute('then_branch', branch(a)), graphAttribute('else_branch', branch(b))];
      return endOf([choice]).kind;
    };
    expect(either('Softmax', 'Softmax')).toBe('shares');
    expect(either('Softmax', 'Relu')).toBe('unknown');
  });
});
