/** What int8 makes of each operator, computed by the runtime, against float32. */
import { describe, expect, it } from 'vitest';
import {
  floatValue,
  makeNode,
  noveltyOutput,
  tensorType,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
} from '../../../../src/lib/models/onnx/graph.ts';
import { type NoveltyLayer, withNovelty } from '../../../../src/lib/models/onnx/novelty.ts';
import { serializeOnnx } from '../../../../src/lib/models/onnx/onnx.ts';
import { floatTensor, rawTensor } from '../../../../src/lib/models/onnx/tensors.ts';
import { foldGraph } from '../../../../src/lib/models/quantize/fold.ts';
import { convSide, randomNumbers } from '../../../support/conv-model.ts';
import { depthwiseModel } from '../../../support/depthwise-model.ts';
import { outputs, quantized, relativeError } from '../../../support/quantized.ts';

const numbers = randomNumbers(5);
const images = Array.from({ length: 6 }, () => numbers(3 * convSide ** 2));

/** Of `dims`; channels along `axis` differ in size by up to a hundred times. */
function weights(name: string, dims: number[], axis = 0): OnnxTensor {
  const sizes = numbers(dims[axis]!).map((value) => 10 ** value);
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const values = numbers(dims.reduce((a, b) => a * b, 1));
  return floatTensor(
    name,
    dims,
    values.map((value, i) => value * sizes[Math.floor(i / inner) % dims[axis]!]!),
  );
}

const sizes = (name: string, values: number[]) =>
  rawTensor(name, [values.length], tensorType.int64, new Uint8Array(BigInt64Array.from(values, BigInt).buffer));

/** `image` (3×32×32) → `x` (6×8×8, behind a ReLU) → the nodes → `y`, whose channels a last layer reads: `classes` scores. */
function between(nodes: OnnxNode[], tensors: OnnxTensor[] = [], channels = 6): OnnxModel {
  return {
    irVersion: 8,
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'operator',
      node: [
        makeNode('Conv', ['image', 'first.w', 'first.b'], ['first'], { kernel_shape: [4, 4], strides: [4, 4] }),
        makeNode('Relu', ['first'], ['x']),
        ...nodes,
        makeNode('Conv', ['y', 'last.w'], ['last']),
        makeNode('GlobalAveragePool', ['last'], ['pooled']),
        makeNode('Flatten', ['pooled'], ['scores']),
      ],
      initializer: [
        ...[weights('first.w', [6, 3, 4, 4]), weights('first.b', [6])],
        ...[weights('last.w', [10, channels, 1, 1]), ...tensors],
      ],
      input: [floatValue('image', ['N', 3, convSide, convSide])],
      output: [floatValue('scores', ['N', 10])],
      valueInfo: [],
      metadataProps: [],
    },
    metadataProps: [],
  };
}

const pads = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
const six = [floatTensor('zero', [], Float32Array.of(0)), floatTensor('six', [], Float32Array.of(6))];
const row = [makeNode('GlobalAveragePool', ['x'], ['g']), makeNode('Flatten', ['g'], ['f'])];
const back = (from: string) => makeNode('Reshape', [from, 'back'], ['y']);

const cases: Record<string, OnnxModel> = {
  'a convolution without bias': between(
    [makeNode('Conv', ['x', 'w'], ['y'], pads)],
    [weights('w', [6, 6, 3, 3])],
  ),
  'a depthwise convolution and Clip': between(
    [makeNode('Conv', ['x', 'w', 'b'], ['c'], { ...pads, group: 6 }), makeNode('Clip', ['c', 'zero', 'six'], ['y'])],
    [weights('w', [6, 1, 3, 3]), weights('b', [6]), ...six],
  ),
  'a convolution in groups': between(
    [makeNode('Conv', ['x', 'w', 'b'], ['y'], { ...pads, group: 2 })],
    [weights('w', [4, 3, 3, 3]), weights('b', [4])],
    4,
  ),
  'Gemm, its weights in rows': between(
    [...row, makeNode('Gemm', ['f', 'w', 'b'], ['m'], { transB: 1 }), back('m')],
    [weights('w', [12, 6]), weights('b', [12]), sizes('back', [-1, 12, 1, 1])],
    12,
  ),
  'Gemm, its weights in columns': between(
    [...row, makeNode('Gemm', ['f', 'w', 'b'], ['m']), back('m')],
    [weights('w', [6, 12], 1), weights('b', [12]), sizes('back', [-1, 12, 1, 1])],
    12,
  ),
  'MatMul and Add': between(
    [...row, makeNode('MatMul', ['f', 'w'], ['p']), makeNode('Add', ['b', 'p'], ['m']), back('m')],
    [weights('w', [6, 12], 1), weights('b', [12]), sizes('back', [-1, 12, 1, 1])],
    12,
  ),
  'a sum of two layers': between(
    [
      makeNode('Conv', ['x', 'w'], ['c'], pads),
      makeNode('Add', ['c', 'x'], ['a']),
      makeNode('Relu', ['a'], ['y']),
    ],
    [weights('w', [6, 6, 3, 3])],
  ),
  'weights that two layers share': between(
    [makeNode('Conv', ['x', 'w', 'b'], ['c'], pads), makeNode('Conv', ['c', 'w', 'b'], ['y'], pads)],
    [weights('w', [6, 6, 3, 3]), weights('b', [6])],
  ),
  'a Relu whose input others read too': between(
    [
      makeNode('Conv', ['x', 'w'], ['c'], pads),
      makeNode('Relu', ['c'], ['r']),
      makeNode('Concat', ['c', 'r'], ['y'], { axis: 1 }),
    ],
    [weights('w', [6, 6, 3, 3])],
    12,
  ),
  MaxPool: between([makeNode('MaxPool', ['x'], ['y'], { ...pads, strides: [2, 2] })]),
  AveragePool: between([makeNode('AveragePool', ['x'], ['y'], { ...pads, strides: [2, 2] })]),
  GlobalAveragePool: between([makeNode('GlobalAveragePool', ['x'], ['y'])]),
  ReduceMean: between([makeNode('ReduceMean', ['x'], ['y'], { axes: [2, 3], keepdims: 1 })]),
  'Concat of layers': between(
    [
      makeNode('Conv', ['x', 'w'], ['c'], pads),
      makeNode('Relu', ['c'], ['r']),
      makeNode('Concat', ['x', 'r'], ['y'], { axis: 1 }),
    ],
    [weights('w', [6, 6, 3, 3])],
    12,
  ),
  'Dropout, Identity, Reshape and Transpose': between(
    [
      makeNode('Dropout', ['x'], ['d']),
      makeNode('Identity', ['d'], ['i']),
      makeNode('Reshape', ['i', 'split'], ['s']),
      makeNode('Transpose', ['s'], ['t'], { perm: [0, 2, 1, 3] }),
      makeNode('Reshape', ['t', 'whole'], ['y']),
    ],
    [sizes('split', [-1, 2, 3, 64]), sizes('whole', [-1, 6, 8, 8])],
  ),
  Pad: between([makeNode('Pad', ['x', 'around'], ['y'])], [sizes('around', [0, 0, 1, 1, 0, 0, 1, 1])]),
};

describe('in int8', () => {
  it.each(Object.entries(cases))('%s gives nearly the same', async (_, model) => {
    const expected = await outputs(model, images);
    for (const fold of [false, true]) {
      const error = relativeError(await outputs(await quantized(model, images, { fold }), images), expected);
      expect(error).toBeLessThan(0.03);
      expect(error).toBeGreaterThan(0); // else nothing was quantised
    }
  });
});

describe('a mobile network as it is exported', () => {
  it('is folded to convolutions, sums and what is between them, and computes the same', async () => {
    const model = depthwiseModel(10);
    const folded = await foldGraph(serializeOnnx(model));
    expect([...new Set(folded.graph.node.map(({ opType }) => opType))].sort()).toEqual(
      ['Add', 'Clip', 'Conv', 'Gemm', 'GlobalAveragePool', 'Reshape'],
    );
    expect(folded.opsetImport.map(({ version }) => version)).toEqual([17]);
    expect(relativeError(await outputs(folded, images), await outputs(model, images))).toBeLessThan(1e-5);
  });

  it.each([
    ['8 bits', false, 0.06],
    ['7 bits', true, 0.1],
  ])('gives nearly the same scores with weights of %s', async (_, reduceRange, tolerance) => {
    const model = depthwiseModel(10);
    const made = await quantized(model, images, { fold: true, reduceRange });
    const found = await outputs(made, images);
    expect(relativeError(found, await outputs(model, images))).toBeLessThan(tolerance);
    const int8 = made.graph.initializer.filter(({ name }) => name!.endsWith('_weight'));
    const greatest = int8.map(({ dims, rawData }) => {
      const values = new Int8Array(Uint8Array.from(rawData!).buffer);
      return [dims.length === 4 && dims[1] === 1 ? 'depthwise' : 'other', Math.max(...values.map(Math.abs))];
    });
    // Products of one channel are not added in pairs: they keep 8 bits.
    const expected = [['other', reduceRange ? 64 : 127], ['depthwise', 127]];
    expect([...new Map(greatest.map((one) => [one.join(), one])).values()]).toEqual(
      expect.arrayContaining(expected),
    );
    expect(new Set(greatest.map(String)).size).toBe(2);
  });

  it('keeps a second output behind its features, computed in float32', async () => {
    const model = depthwiseModel(10);
    const layer: NoveltyLayer = {
      isScaled: true,
      features: 32,
      classes: 4,
      map: numbers(32 * 32),
      offset: numbers(32),
      centres: numbers(4 * 32),
    };
    const two = withNovelty(model, layer);
    const made = await quantized(two, images, { fold: true });
    expect(made.graph.output.map(({ name }) => name)).toEqual(['scores', noveltyOutput]);
    const matrices = made.graph.initializer.filter(({ dims }) => dims.join() === '32,32');
    expect(matrices.map(({ dataType }) => dataType)).toEqual([tensorType.float32]);
    for (const output of ['scores', noveltyOutput]) {
      const error = relativeError(await outputs(made, images, output), await outputs(two, images, output));
      expect(error).toBeLessThan(0.06);
      expect(error).toBeGreaterThan(0); // it sees the same rounded features as the scores do
    }
    const alone = await outputs(await quantized(model, images, { fold: true }), images);
    expect(await outputs(made, images)).toEqual(alone);
  });
});
