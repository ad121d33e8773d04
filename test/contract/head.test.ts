/** The last linear layer of any classifier: found whatever it ends in, replaced, and refused by name where there is none. */
import { describe, expect, it } from 'vitest';
import { engines } from '../../src/lib/models/classifier/engines/engines.ts';
import {
  floatValue,
  makeNode,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
} from '../../src/lib/models/onnx/graph.ts';
import { headFeatures, identityLayer, withHead } from '../../src/lib/models/onnx/head.ts';
import { noveltyOf, readNovelty, withNovelty } from '../../src/lib/models/onnx/novelty.ts';
import { parseOnnx, serializeOnnx } from '../../src/lib/models/onnx/onnx.ts';
import { floatTensor, rawTensor, tensorToFloats } from '../../src/lib/models/onnx/tensors.ts';
import { convModel, convSide, randomNumbers } from '../support/conv-model.ts';
import { noveltyLayer } from '../support/novelty-layers.ts';

const parentClasses = 10;
const features = 32;
const numbers = randomNumbers(5);
const images = numbers(2 * 3 * convSide * convSide);

/** `convModel` up to its features (`f1`, 2×32), and another end; what it ends in is called `scores`. */
function ending(nodes: OnnxNode[], tensors: OnnxTensor[] = [], from = 'f1'): OnnxModel {
  const model = convModel(parentClasses);
  const { graph } = model;
  const last = graph.node.findIndex(({ output }) => output[0] === from);
  return {
    ...model,
    graph: {
      ...graph,
      node: [...graph.node.slice(0, last + 1), ...nodes],
      initializer: [...graph.initializer, ...tensors],
    },
  };
}

async function answers(model: OnnxModel) {
  await using session = await engines.wasm.open(serializeOnnx(parseOnnx(serializeOnnx(model))), {
    side: convSide,
  });
  const { scores, novelty } = await session.run(images.slice(), 2);
  return { scores: scores.slice(), novelty: novelty?.slice() };
}

const scores = async (model: OnnxModel) => (await answers(model)).scores;

const integers = (name: string, values: number[]) =>
  rawTensor(name, [values.length], 7, new Uint8Array(new BigInt64Array(values.map(BigInt)).buffer));
const weight = floatTensor('w', [parentClasses, features], numbers(parentClasses * features));
const across = floatTensor('wt', [features, parentClasses], numbers(parentClasses * features));
const bias = floatTensor('b', [parentClasses], numbers(parentClasses));
const point = { ...weight, name: 'wc', dims: [parentClasses, features, 1, 1] };
const gemm = makeNode('Gemm', ['f1', 'w', 'b'], ['s'], { transB: 1 });

const ends: Record<string, OnnxModel> = {
  'a Gemm': convModel(parentClasses),
  'a Gemm and a Softmax': ending([gemm, makeNode('Softmax', ['s'], ['scores'])], [weight, bias]),
  'a Gemm that is not transposed': ending([makeNode('Gemm', ['f1', 'wt', 'b'], ['scores'])], [across, bias]),
  'a MatMul and an Add': ending(
    [makeNode('MatMul', ['f1', 'wt'], ['p']), makeNode('Add', ['b', 'p'], ['scores'])],
    [across, bias],
  ),
  'a MatMul of transposed weights': ending(
    [
      makeNode('Transpose', ['w'], ['wt'], { perm: [1, 0] }),
      makeNode('MatMul', ['f1', 'wt'], ['p']),
      makeNode('Sigmoid', ['p'], ['scores']),
    ],
    [weight],
  ),
  'a 1×1 Conv before the pooling, a ReLU and a Reshape to its classes': ending(
    [
      makeNode('Conv', ['r4', 'wc', 'b'], ['c'], { kernel_shape: [1, 1] }),
      makeNode('Relu', ['c'], ['r']),
      makeNode('GlobalAveragePool', ['r'], ['g']),
      makeNode('Reshape', ['g', 'shape'], ['scores']),
    ],
    [point, bias, integers('shape', [-1, parentClasses])],
    'r4',
  ),
  'a 1×1 Conv behind the pooling': ending(
    [
      makeNode('Conv', ['g1', 'wc'], ['c'], { kernel_shape: [1, 1] }),
      makeNode('Flatten', ['c'], ['scores'], { axis: 1 }),
    ],
    [point],
    'g1',
  ),
};

describe.each(Object.entries(ends))('a network that ends in %s', (_, parent) => {
  it('gives its features, and then what another head makes of them', async () => {
    expect(headFeatures(parent)).toBe(features);
    const found = await scores(withHead(parent, identityLayer(features)));
    const upToThem = ending([makeNode('Identity', ['f1'], ['scores'])]);
    upToThem.graph.output = [floatValue('scores', ['N', features])];
    const wanted = await scores(upToThem);
    expect(found).toHaveLength(2 * features);
    for (const [i, value] of wanted.entries()) expect(found[i]).toBeCloseTo(value, 4);
    expect(Math.max(...wanted)).toBeGreaterThan(0.01);

    const classes = 3;
    const layer = { features, classes, weight: numbers(classes * features), bias: numbers(classes) };
    const child = withHead(parent, layer);
    expect(child.graph.output[0]!.type!.tensorType!.shape!.dim[1]!.dimValue).toBe(classes);
    const answers = await scores(child);
    expect(answers).toHaveLength(2 * classes);
    for (const [i, answer] of answers.entries()) {
      const row = wanted.subarray(
        Math.floor(i / classes) * features,
        (Math.floor(i / classes) + 1) * features,
      );
      const k = i % classes;
      const score = row.reduce((sum, x, j) => sum + x * layer.weight[k * features + j]!, layer.bias[k]!);
      expect(answer).toBeCloseTo(score, 3);
    }
    // A child of the child has the same features: their cache is shared.
    const again = serializeOnnx(withHead(child, identityLayer(features)));
    expect(Buffer.from(again).equals(serializeOnnx(withHead(parent, identityLayer(features))))).toBe(true);
    // Nothing of the parent's head is left in the file.
    const left = child.graph.initializer.filter(({ dims }) => dims.includes(parentClasses));
    expect(left.map(({ name }) => name)).toEqual([]);
  });
});

describe.each(Object.entries(ends))('a network that ends in %s', (_, parent) => {
  it.each([13, 18])('tells novelty in opset %i as the formula does, beside its scores', async (version) => {
    const bare = { ...parent, opsetImport: [{ domain: '', version }] };
    const found = await scores(withHead(bare, identityLayer(features)));
    const layer = noveltyLayer(features, 3);
    const telling = parseOnnx(
      serializeOnnx(withNovelty(withNovelty(bare, noveltyLayer(features, 4, 8)), layer)),
    );
    expect(telling.graph.output.map(({ name }) => name)).toEqual(['scores', 'visionscale.novelty']);
    const told = await answers(telling);
    expect(told.novelty).toHaveLength(2);
    for (const [i, value] of told.novelty!.entries()) {
      expect(value).toBeCloseTo(noveltyOf(layer, found.subarray(i * features, (i + 1) * features)), 4);
    }
    expect(Math.abs(told.novelty![0]! - told.novelty![1]!)).toBeGreaterThan(1e-4);
    expect([...told.scores]).toEqual([...(await scores(bare))]);
    const read = readNovelty(telling)!;
    expect(read).toEqual(layer);
    expect(readNovelty(bare)).toBeUndefined();
    // It is no part of what a head learns from, and goes with the head that it told of.
    const child = withHead(telling, identityLayer(features));
    expect(
      Buffer.from(serializeOnnx(child)).equals(serializeOnnx(withHead(bare, identityLayer(features)))),
    ).toBe(true);
  });
});

describe('an output called as that of novelty', () => {
  it('is read only where it is what training writes', () => {
    const telling = withNovelty(convModel(parentClasses), noveltyLayer(features, 3));
    const node = telling.graph.node.map((one) =>
      one.opType === 'Relu' && one.output[0]!.startsWith('visionscale') ? { ...one, opType: 'Abs' } : one,
    );
    const other = { ...telling, graph: { ...telling.graph, node } };
    expect(() => readNovelty(other)).toThrow(/not made by the operations that training writes/);
    const graph = {
      ...telling.graph,
      initializer: telling.graph.initializer.filter(({ name }) => name !== 'visionscale.novelty.map'),
    };
    expect(() => readNovelty({ ...telling, graph })).toThrow(/not made by/);
    expect(() =>
      withNovelty(convModel(parentClasses), { ...noveltyLayer(features, 3), features: 16 }),
    ).toThrow(/takes 32 values, not 16/);
  });
});

describe('a network without such a layer', () => {
  const half = { ...rawTensor('w', weight.dims, 10, new Uint8Array(2 * parentClasses * features)) };
  it.each<[string, OnnxModel, RegExp]>([
    [
      'ends in a pooling',
      ending([makeNode('Identity', ['f1'], ['scores'])]),
      /it ends in Add|last Conv is 3×3/,
    ],
    [
      'has float16 weights',
      ending([makeNode('Gemm', ['f1', 'w', 'b'], ['scores'], { transB: 1 })], [half, bias]),
      /float16/,
    ],
    [
      'is quantised',
      ending([makeNode('QLinearMatMul', ['f1', 'w'], ['scores'])], [weight]),
      /quantised \(QLinearMatMul\)/,
    ],
    [
      'computes its weights',
      ending([makeNode('MatMul', ['f1', 'f2'], ['scores']), makeNode('Relu', ['f1'], ['f2'])]),
      /last MatMul are computed/,
    ],
    [
      'uses its scores twice',
      ending(
        [gemm, makeNode('Softmax', ['s'], ['t']), makeNode('Add', ['s', 't'], ['scores'])],
        [weight, bias],
      ),
      /ends in Add/,
    ],
    ['is older than opset 7', { ...convModel(3), opsetImport: [{ domain: '', version: 6 }] }, /opset 6/],
  ])('is refused: it %s', (_, model, reason) => {
    expect(() => headFeatures(model)).toThrow(expect.objectContaining({ code: 'model_invalid' }) as Error);
    expect(() => headFeatures(model)).toThrow(reason);
  });

  it('is not given weights of another size', () => {
    expect(() => withHead(convModel(3), identityLayer(16))).toThrow(/takes 32 values, not 16/);
    expect(tensorToFloats(weight)).toHaveLength(parentClasses * features);
  });
});
