import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { makeNode } from '../../../src/lib/models/onnx/graph.ts';
import { type OnnxModel } from '../../../src/lib/models/onnx/graph.ts';
import { withNovelty } from '../../../src/lib/models/onnx/novelty.ts';
import { parseOnnx, serializeOnnx } from '../../../src/lib/models/onnx/onnx.ts';
import { convolutions, squeezeNet10, weightDims } from '../../../src/lib/models/onnx/squeezenet-layout.ts';
import {
  buildSqueezeNet10,
  buildSqueezeNet11,
  readSqueezeNet11,
  type SqueezeNetWeights,
} from '../../../src/lib/models/onnx/squeezenet.ts';
import { noveltyLayer } from '../../support/novelty-layers.ts';
import { describeWith, testData } from '../../support/servers.ts';
import { tinyWeights } from '../../support/tiny-models.ts';

/** Small numbers, other ones in every tensor. */
function weightsFor(classes: number, layout?: typeof squeezeNet10): SqueezeNetWeights {
  const weights: SqueezeNetWeights = new Map();
  let seed = 1;
  const add = (name: string, dims: number[], scale: number) => {
    const length = dims.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length }, () => {
      seed = (seed * 48271) % 2147483647;
      return (seed / 2147483648 - 0.5) * scale;
    });
    weights.set(name, { dims, data });
  };
  for (const layer of convolutions(classes, layout)) {
    add(`${layer.name}.weight`, weightDims(layer), Math.sqrt(24 / (layer.inputs * layer.kernel ** 2)));
    add(`${layer.name}.bias`, [layer.outputs], 0.1);
  }
  return weights;
}

async function scores(model: OnnxModel | Uint8Array, images: Float32Array): Promise<Float32Array> {
  const bytes = model instanceof Uint8Array ? model : serializeOnnx(model);
  const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1 });
  const tensor = new ort.Tensor('float32', images, [images.length / (3 * 224 * 224), 3, 224, 224]);
  const { [session.outputNames[0]!]: logits } = await session.run({ [session.inputNames[0]!]: tensor });
  await session.release();
  return logits!.data as Float32Array;
}

const twoImages = Float32Array.from({ length: 2 * 3 * 224 * 224 }, (_, i) => Math.sin(i * 1.7) * 2);

/** A model with every tensor and node renamed, and steps that change nothing put in. */
function disguised(model: OnnxModel): OnnxModel {
  const rename = (name: string) => (name === '' ? '' : `t${Buffer.from(name).toString('hex')}`);
  const graph = structuredClone(model.graph);
  for (const node of graph.node) {
    node.name = '';
    node.input = node.input.map(rename);
    node.output = node.output.map(rename);
  }
  for (const item of [...graph.initializer, ...graph.input, ...graph.output]) item.name = rename(item.name!);
  const last = graph.node.findLastIndex(({ opType }) => opType === 'Conv');
  const dropped = graph.node[last]!.input[0]!;
  graph.node[last]!.input[0] = 'dropped';
  graph.node.splice(last, 0, makeNode('Dropout', [dropped], ['dropped']));
  graph.initializer.reverse();
  return { ...model, graph };
}

describe('SqueezeNet 1.1', () => {
  const weights = weightsFor(7);

  it('is built, read and built again with the same weights and scores', async () => {
    const model = buildSqueezeNet11(weights);
    const read = readSqueezeNet11(parseOnnx(serializeOnnx(model)));
    expect({ classes: read.classes, finalRelu: read.finalRelu }).toEqual({ classes: 7, finalRelu: true });
    expect([...read.weights.keys()]).toEqual([...weights.keys()]);
    expect(isDeepStrictEqual(read.weights, weights)).toBe(true);
    expect(isDeepStrictEqual(buildSqueezeNet11(read.weights, read), model)).toBe(true);
    const found = await scores(model, twoImages);
    expect(found).toHaveLength(14);
    expect(new Set(found).size).toBeGreaterThan(7); // the scores are no constants
  });

  it('has its last ReLU only where it is wanted', async () => {
    const without = buildSqueezeNet11(weights, { finalRelu: false });
    expect(readSqueezeNet11(without).finalRelu).toBe(false);
    const [linear, rectified] = await Promise.all([
      scores(without, twoImages),
      scores(buildSqueezeNet11(weights), twoImages),
    ]);
    expect(Math.min(...rectified)).toBeGreaterThanOrEqual(0);
    expect(rectified).not.toEqual(linear);
  });

  it('is recognised under other names', () => {
    const read = readSqueezeNet11(disguised(buildSqueezeNet11(weights)));
    expect(isDeepStrictEqual(read.weights, weights)).toBe(true);
  });

  it('is recognised where it tells unknown objects', () => {
    const telling = withNovelty(buildSqueezeNet11(weights), noveltyLayer(512, 7));
    const read = readSqueezeNet11(parseOnnx(serializeOnnx(telling)));
    expect(isDeepStrictEqual(read.weights, weights)).toBe(true);
  });

  it('is not built from other weights', () => {
    const changed = (change: (copy: SqueezeNetWeights) => void) => {
      const copy = new Map(weights);
      change(copy);
      return () => buildSqueezeNet11(copy);
    };
    expect(changed((w) => w.delete('features.7.squeeze.bias'))).toThrow(
      'the state dict lacks the tensor features.7.squeeze.bias',
    );
    expect(changed((w) => w.set('fc.weight', { dims: [1], data: new Float32Array(1) }))).toThrow(
      /has a tensor fc\.weight, which/,
    );
    const turned = { ...weights.get('features.3.squeeze.weight')!, dims: [64, 16, 1, 1] };
    expect(changed((w) => w.set('features.3.squeeze.weight', turned))).toThrow(
      /features\.3\.squeeze\.weight with the shape 64×16×1×1 .* not 16×64×1×1/,
    );
    expect(() => buildSqueezeNet11(weights, { classes: 8 })).toThrow(
      /classifier\.1\.weight with the shape 7×/,
    );
    expect(() => buildSqueezeNet11(new Map())).toThrow('lacks the tensor features.0.weight');
  });

  it('is told from other graphs', () => {
    const refuses = (change: (graph: OnnxModel['graph']) => void, message: RegExp) => {
      const model = parseOnnx(serializeOnnx(buildSqueezeNet11(weights)));
      change(model.graph);
      expect(() => readSqueezeNet11(model)).toThrow(message);
    };
    const node = (graph: OnnxModel['graph'], output: string) =>
      graph.node.find((n) => n.output[0] === output)!;
    const ints = (graph: OnnxModel['graph'], output: string, name: string) =>
      node(graph, output).attribute.find((attribute) => attribute.name === name)!;

    expect(() => readSqueezeNet11(parseOnnx(tinyWeights('mean')))).toThrow(
      /is not SqueezeNet 1\.1: its input is not an image batch of N×3×224×224/,
    );
    expect(() => readSqueezeNet11(parseOnnx(tinyWeights('twoInputs')))).toThrow(/it has 2 inputs/);
    refuses((g) => (node(g, 'features.0.relu').opType = 'LeakyRelu'), /comes LeakyRelu, not Relu/);
    refuses(
      (g) => (node(g, 'pooled').opType = 'GlobalMaxPool'),
      /comes GlobalMaxPool, not GlobalAveragePool/,
    );
    refuses((g) => (ints(g, 'features.0', 'strides').ints = [1n, 1n]), /has strides 1,1, not 2,2/);
    refuses((g) => (ints(g, 'features.4.expand3x3', 'pads').ints = [0n, 0n, 0n, 0n]), /has pads 0,0,0,0/);
    refuses((g) => node(g, 'features.6').input.reverse(), /Concat does not join/);
    refuses(
      (g) => (node(g, 'features.6').input[1] = 'features.6.expand1x1.relu'),
      /not two convolutions|comes|join/,
    );
    refuses((g) => (node(g, 'features.0').input[1] = 'absent'), /is not a constant/);
    refuses(
      (g) => (node(g, 'features.9.squeeze').input[1] = 'features.10.squeeze.weight'),
      /has the shape 48×384×1×1/,
    );
    refuses((g) => {
      g.node.push(makeNode('Softmax', ['logits'], ['probabilities']));
      g.output[0]!.name = 'probabilities';
    }, /after its scores comes Softmax/);
    refuses((g) => g.output.push({ name: 'pooled' }), /its outputs are logits, pooled/);
    refuses((g) => (node(g, 'features.0').domain = 'com.example'), /of the domain com\.example/);
  });
});

describe('SqueezeNet 1.0', () => {
  it('computes what torchvision’s squeezenet1_0 does', async () => {
    const found = await scores(buildSqueezeNet10(weightsFor(7, squeezeNet10)), twoImages);
    // torchvision 0.29's, of the same weights and images.
    const theirs = [
      [0.00501, 0, 6.20447, 0.09757, 0, 0.94923, 2.68692],
      [0.00436, 0, 6.20688, 0.09836, 0, 0.94754, 2.68789],
    ].flat();
    for (const [i, score] of theirs.entries()) expect(found[i]).toBeCloseTo(score, 4);
  });

  it('is not taken for 1.1, nor the other way round', () => {
    expect(() => buildSqueezeNet11(weightsFor(7, squeezeNet10))).toThrow(
      /features\.0\.weight with the shape 96×3×7×7/,
    );
    expect(() => buildSqueezeNet10(weightsFor(7))).toThrow(/features\.0\.weight with the shape 64×3×3×3/);
    expect(() => readSqueezeNet11(buildSqueezeNet10(weightsFor(7, squeezeNet10)))).toThrow(
      /is not SqueezeNet 1\.1/,
    );
  });
});

describeWith('test data', 'the real SqueezeNet file', (root) => {
  it('is recognised, and built again it computes the same scores', async () => {
    const bytes = readFileSync(testData(root).model);
    const read = readSqueezeNet11(parseOnnx(bytes));
    expect({ classes: read.classes, finalRelu: read.finalRelu }).toEqual({ classes: 1000, finalRelu: true });
    expect([...read.weights].reduce((sum, [, { data }]) => sum + data.length, 0)).toBe(1_235_496);
    const built = buildSqueezeNet11(read.weights, read);
    expect(isDeepStrictEqual(await scores(built, twoImages), await scores(bytes, twoImages))).toBe(true);
  });
});
