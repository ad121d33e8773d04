/** A small convolutional classifier with every kind of layer that quantisation treats; its weights are pseudo-random. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { floatValue, makeNode } from '../../src/lib/models/onnx/graph.ts';
import { type OnnxModel } from '../../src/lib/models/onnx/graph.ts';
import { serializeOnnx } from '../../src/lib/models/onnx/onnx.ts';
import { floatTensor, tensorToFloats } from '../../src/lib/models/onnx/tensors.ts';

export const convSide = 32;

/** `numbers(n)` of a seed are always the same, between −1 and 1. */
export function randomNumbers(seed: number): (length: number) => Float32Array {
  let state = seed;
  const next = () => (state = (state * 48271) % 2147483647) / 2147483647;
  return (length) => Float32Array.from({ length }, () => 2 * next() - 1);
}

/**
 * Convolutions with and without a ReLU, pooling, a concatenation, a residual sum, a fully connected layer. With a small
 * `distinct` the classes differ by little more than that from each other: less than int8 can tell apart.
 */
export function convModel(classes: number, distinct = 1): OnnxModel {
  const numbers = randomNumbers(7);
  const tensor = (name: string, dims: number[]) => {
    const fan = dims.slice(1).reduce((a, b) => a * b, 1);
    const data = numbers(dims.reduce((a, b) => a * b, 1)).map((value) => value * Math.sqrt(6 / fan));
    return floatTensor(name, dims, data);
  };
  const similar = (name: string, dims: [number, ...number[]]) => {
    const all = tensorToFloats(tensor(name, dims));
    const row = all.length / dims[0];
    return floatTensor(
      name,
      dims,
      all.map((value, i) => (distinct === 1 ? value : all[i % row]! + distinct * value)),
    );
  };
  const conv = (name: string, from: string, pad: number) =>
    makeNode('Conv', [from, `${name}.w`, `${name}.b`], [name], {
      kernel_shape: [2 * pad + 1, 2 * pad + 1],
      pads: [pad, pad, pad, pad],
    });
  return {
    irVersion: 7,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'conv',
      node: [
        conv('c1', 'image', 1),
        makeNode('Relu', ['c1'], ['r1']),
        makeNode('MaxPool', ['r1'], ['p1'], { kernel_shape: [2, 2], strides: [2, 2] }),
        conv('c2', 'p1', 0),
        makeNode('Relu', ['c2'], ['r2']),
        conv('c3', 'p1', 1),
        makeNode('Relu', ['c3'], ['r3']),
        makeNode('Concat', ['r2', 'r3'], ['j1'], { axis: 1 }),
        conv('c4', 'j1', 1),
        makeNode('Add', ['c4', 'j1'], ['a1']),
        makeNode('Relu', ['a1'], ['r4']),
        makeNode('GlobalAveragePool', ['r4'], ['g1']),
        makeNode('Flatten', ['g1'], ['f1'], { axis: 1 }),
        makeNode('Gemm', ['f1', 'fc.w', 'fc.b'], ['scores'], { transB: 1 }),
      ],
      initializer: [
        ...[tensor('c1.w', [16, 3, 3, 3]), tensor('c1.b', [16])],
        ...[tensor('c2.w', [16, 16, 1, 1]), tensor('c2.b', [16])],
        ...[tensor('c3.w', [16, 16, 3, 3]), tensor('c3.b', [16])],
        ...[tensor('c4.w', [32, 32, 3, 3]), tensor('c4.b', [32])],
        ...[similar('fc.w', [classes, 32]), similar('fc.b', [classes])],
      ],
      input: [floatValue('image', ['N', 3, convSide, convSide])],
      output: [floatValue('scores', ['N', classes])],
      valueInfo: [],
      metadataProps: [],
    },
    metadataProps: [],
  };
}

export function writeConvModel(directory: string, classes: number, distinct = 1): Promise<void> {
  return writeModelDirectory(directory, convModel(classes, distinct), classes);
}

/** With the labels `class 0`, `class 1`, … */
export async function writeModelDirectory(
  directory: string,
  model: OnnxModel,
  classes: number,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const labels = Array.from({ length: classes }, (_, i) => `class ${i}\n`).join('');
  const preprocessing = { resize: convSide, crop: convSide, mean: [0.5, 0.5, 0.5], std: [0.3, 0.3, 0.3] };
  const manifest = { name: model.graph.name, version: '1', preprocessing };
  await writeFile(join(directory, 'model.onnx'), serializeOnnx(model));
  await writeFile(join(directory, 'labels.txt'), labels);
  await writeFile(join(directory, 'model.json'), JSON.stringify(manifest));
}
