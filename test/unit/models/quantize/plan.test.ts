import { describe, expect, it } from 'vitest';
import { makeNode } from '../../../../src/lib/models/onnx/graph.ts';
import { planQuantization } from '../../../../src/lib/models/quantize/rewrite.ts';
import { convModel } from '../../../support/conv-model.ts';

const groups = (graph: Parameters<typeof planQuantization>[0]) =>
  planQuantization(graph).groups.map((group) => group.join(' '));

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
    // Behind the ReLUs, not before them; not the scores; the average is computed in float32.
    expect(groups(graph)).toEqual(['image', 'r1 p1', 'r2 r3 j1', 'c4', 'r4', 'f1']);
  });

  it('keeps what is before a ReLU where somebody else reads it', () => {
    const { graph } = convModel(5);
    graph.node.push(makeNode('Sigmoid', ['c1'], ['other']));
    expect(groups(graph)[1]).toBe('c1');
  });

  it('is not what has no constant float32 weights', () => {
    const { graph } = convModel(5);
    graph.initializer = graph.initializer.filter(({ name }) => name !== 'c2.w');
    graph.initializer.find(({ name }) => name === 'fc.w')!.dataType = 10;
    expect(planQuantization(graph).weighted.map(({ node }) => node.output[0])).toEqual(['c1', 'c3', 'c4']);
  });

  it('counts the channels of a matrix as it is laid out', () => {
    const { graph } = convModel(5);
    graph.node.at(-1)!.attribute = [];
    expect(planQuantization(graph).weighted.at(-1)!.axis).toBe(1);
    graph.node.at(-1)!.attribute = makeNode('Gemm', [], [], { transA: 1 }).attribute;
    expect(planQuantization(graph).weighted).toHaveLength(4);
  });
});
