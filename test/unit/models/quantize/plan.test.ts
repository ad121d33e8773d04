import { describe, expect, it } from 'vitest';
import { floatValue, makeNode, type OnnxGraph, type OnnxNode } from '../../../../src/lib/models/onnx/graph.ts';
import { floatTensor } from '../../../../src/lib/models/onnx/tensors.ts';
import { planQuantization, refuseComposed } from '../../../../src/lib/models/quantize/plan.ts';
import { convModel } from '../../../support/conv-model.ts';
import { depthwiseModel } from '../../../support/depthwise-model.ts';

const groups = (graph: OnnxGraph) => planQuantization(graph).groups.map((group) => group.join(' '));
const layers = (graph: OnnxGraph) => planQuantization(graph).weighted.map(({ node }) => node.output[0]);

/** From `image` to `scores`: `a` is a layer, `b` is another one that takes `x`. */
function chain(...nodes: OnnxNode[]): OnnxGraph {
  const weights = ['a.w', 'b.w'].map((name) => floatTensor(name, [3, 3, 1, 1], new Float32Array(9).fill(1)));
  const matrices = ['m.w', 'm.b'].map((name, i) => floatTensor(name, [3, 3].slice(i), new Float32Array(9 / 3 ** i)));
  return {
    ...convModel(3).graph,
    node: [makeNode('Conv', ['image', 'a.w'], ['a']), ...nodes],
    initializer: [...weights, ...matrices, floatTensor('one', [], Float32Array.of(1))],
    output: [floatValue('scores', ['N', 3])],
  };
}
const second = (from = 'x', to = 'scores') => makeNode('Conv', [from, 'b.w'], [to]);

describe('what is quantised', () => {
  it('is what convolutions and matrix products read and give; joined tensors share a range', () => {
    const { graph } = convModel(5);
    const { weighted } = planQuantization(graph);
    expect(weighted.map(({ node, axis }) => [node.output[0], axis])).toEqual([
      ['c1', 0],
      ['c2', 0],
      ['c3', 0],
      ['c4', 0],
      ['scores', 0],
    ]);
    // Behind the ReLUs, not before them; not the scores; an average has a range of its own, and is computed from uint8.
    expect(groups(graph)).toEqual(['image', 'r1 p1', 'r2 r3 j1', 'c4', 'r4', 'g1 f1']);
  });

  it('keeps what is before a ReLU where somebody else reads it', () => {
    const { graph } = convModel(5);
    graph.node.push(makeNode('Sigmoid', ['c1'], ['other']));
    expect(groups(graph).slice(0, 3)).toEqual(['image', 'c1', 'r1 p1']);
  });

  it('counts the channels of a matrix as it is laid out', () => {
    const { graph } = convModel(5);
    graph.node.at(-1)!.attribute = [];
    graph.initializer.find(({ name }) => name === 'fc.w')!.dims = [32, 5];
    expect(planQuantization(graph).weighted.at(-1)!.axis).toBe(1);
  });

  it('leaves a last layer alone whose weights are no float32 constants, or scaled or turned', () => {
    const { graph } = convModel(5);
    const without = ['c1', 'c2', 'c3', 'c4'];
    graph.node.at(-1)!.attribute = makeNode('Gemm', [], [], { transA: 1 }).attribute;
    expect(layers(graph)).toEqual(without);
    graph.node.at(-1)!.attribute = makeNode('Gemm', [], [], { transB: 1 }).attribute;
    graph.initializer.find(({ name }) => name === 'fc.w')!.dataType = 10;
    expect(layers(graph)).toEqual(without);
  });

  it('is a MatMul with its bias as one layer: the product alone is not rounded', () => {
    const product = [makeNode('MatMul', ['x', 'm.w'], ['y']), makeNode('Add', ['y', 'm.b'], ['z'])];
    const graph = chain(makeNode('Relu', ['a'], ['x']), ...product, makeNode('Relu', ['z'], ['r']), second('r'));
    expect(groups(graph)).toEqual(['image', 'x', 'r']);
  });

  it('is not the scores, whatever follows them, but for those that are averaged', () => {
    const softmax = makeNode('Softmax', ['y'], ['scores']);
    expect(groups(chain(second('a', 'y'), softmax))).toEqual(['image', 'a']);
    const mean = makeNode('GlobalAveragePool', ['r'], ['scores']);
    expect(groups(chain(second('a', 'y'), makeNode('Relu', ['y'], ['r']), mean))).toEqual(['image', 'a', 'r']);
  });

  it('is not what comes before the first layer', () => {
    const { node, ...rest } = chain(second('a'));
    const before = makeNode('Mul', ['image', 'one'], ['scaled']);
    const graph = { ...rest, node: [before, { ...node[0]!, input: ['scaled', 'a.w'] }, ...node.slice(1)] };
    expect(groups(graph)).toEqual(['scaled', 'a']);
  });

  it('is not what serves another output, of whatever operators', () => {
    const graph = chain(
      makeNode('GlobalAveragePool', ['a'], ['x']),
      second(),
      makeNode('Conv', ['x', 'b.w'], ['y']),
      makeNode('ReduceL2', ['y'], ['novelty']),
    );
    graph.output.push(floatValue('novelty', ['N']));
    expect(layers(graph)).toEqual(['a', 'scores']);
    expect(groups(graph)).toEqual(['image', 'a', 'x']);
  });

  it('is not a size: shapes are computed from what is between layers', () => {
    const sizes = [
      makeNode('Shape', ['a'], ['s']),
      makeNode('Gather', ['s', 'one'], ['n']),
      makeNode('Reshape', ['a', 'n'], ['x']),
    ];
    expect(groups(chain(...sizes, second()))).toEqual(['image', 'a x']);
  });
});

describe('what is refused', () => {
  it.each(['HardSwish', 'Sigmoid', 'Mul', 'LayerNormalization', 'Softmax', 'Resize'])('is a %s between layers', (op) => {
    expect(() => planQuantization(chain(makeNode(op, ['a'], ['x']), second()))).toThrow(
      `the model has operators that do not compute well in int8: ${op}`,
    );
    expect(layers(chain(second('a', 'x'), makeNode(op, ['x'], ['scores'])))).toEqual(['a', 'x']);
  });

  it('is all of it at once, each operator once', () => {
    const gate = [makeNode('Sigmoid', ['a'], ['g']), makeNode('Mul', ['a', 'g'], ['x'])];
    const graph = chain(...gate, makeNode('Mul', ['x', 'x'], ['z']), second('z'));
    expect(() => planQuantization(graph)).toThrow(/int8: Sigmoid, Mul$/);
  });

  it('is named as in the file, though the runtime takes it apart', () => {
    const { graph } = depthwiseModel(5, 'HardSwish');
    expect(() => refuseComposed(graph)).toThrow(/int8: HardSwish$/);
    expect(() => refuseComposed(depthwiseModel(5).graph)).not.toThrow();
  });

  it('is an operator of somebody’s own', () => {
    const gelu = { ...makeNode('Gelu', ['a'], ['x']), domain: 'com.microsoft' };
    expect(() => planQuantization(chain(gelu, second()))).toThrow(/int8: com\.microsoft\.Gelu$/);
  });

  it('is a convolution with computed weights', () => {
    const computed = [makeNode('Relu', ['b.w'], ['w']), makeNode('Conv', ['a', 'w'], ['x'])];
    expect(() => planQuantization(chain(...computed, second()))).toThrow(/Conv \(its weights are computed\)$/);
  });

  it('says what to do about BatchNormalization', () => {
    const graph = chain(makeNode('BatchNormalization', ['a'], ['x']), second());
    expect(() => planQuantization(graph)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('constant folding') as string }),
    );
  });
});
