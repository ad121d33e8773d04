/** A small network as mobile ones are exported: padding and batch normalisation apart, depthwise convolutions, a residual sum. */
import {
  floatValue,
  makeNode,
  tensorType,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
} from '../../src/lib/models/onnx/graph.ts';
import { floatTensor, rawTensor } from '../../src/lib/models/onnx/tensors.ts';
import { convSide, randomNumbers } from './conv-model.ts';

/** `gate` is the operator behind each layer: Clip is what MobileNetV2 and EfficientNet-Lite have. */
export function depthwiseModel(classes: number, gate = 'Clip'): OnnxModel {
  const numbers = randomNumbers(11);
  const tensors: OnnxTensor[] = [];
  const nodes: OnnxNode[] = [];
  const tensor = (name: string, dims: number[], of: (value: number) => number = (value) => value) => {
    tensors.push(
      floatTensor(
        name,
        dims,
        numbers(dims.reduce((a, b) => a * b, 1)).map((value) => of(value)),
      ),
    );
    return name;
  };
  const shape = (name: string, sizes: number[]) => {
    const data = new Uint8Array(BigInt64Array.from(sizes, BigInt).buffer);
    tensors.push({ ...rawTensor(name, [sizes.length], tensorType.int64, data) });
    return name;
  };
  /** Convolution and normalisation; channels differ in size by up to a hundred times, as trained ones do. */
  const conv = (name: string, from: string, dims: [number, number, number], group = 1, strides = 1) => {
    const [channels, each, side] = dims;
    const fan = Math.sqrt(6 / (each * side ** 2));
    const input = side === 1 ? from : `${name}.padded`;
    if (side > 1) {
      const pads = shape(`${name}.pads`, [0, 0, 1, 1, 0, 0, 1, 1]);
      nodes.push(makeNode('Pad', [from, pads, 'zero'], [input]));
    }
    const weight = tensor(`${name}.w`, [channels, each, side, side], (value) => value * fan);
    nodes.push(
      makeNode('Conv', [input, weight], [`${name}.conv`], {
        group,
        kernel_shape: [side, side],
        strides: [strides, strides],
      }),
    );
    const parameters = [
      tensor(`${name}.scale`, [channels], (value) => 10 ** value),
      tensor(`${name}.shift`, [channels]),
      tensor(`${name}.mean`, [channels]),
      tensor(`${name}.variance`, [channels], (value) => 1.5 + value),
    ];
    nodes.push(makeNode('BatchNormalization', [`${name}.conv`, ...parameters], [name]));
    return name;
  };
  const gated = (name: string) => {
    const bounds = gate === 'Clip' ? ['zero', 'six'] : [];
    nodes.push(makeNode(gate, [name, ...bounds], [`${name}.gate`]));
    return `${name}.gate`;
  };

  tensors.push(floatTensor('zero', [], Float32Array.of(0)), floatTensor('six', [], Float32Array.of(6)));
  const stem = gated(conv('stem', 'image', [8, 3, 3], 1, 2));
  const first = conv('project1', gated(conv('depthwise1', stem, [8, 1, 3], 8)), [12, 8, 1]);
  const expanded = gated(conv('expand2', first, [24, 12, 1]));
  const projected = conv('project2', gated(conv('depthwise2', expanded, [24, 1, 3], 24)), [12, 24, 1]);
  nodes.push(makeNode('Add', [projected, first], ['sum']));
  const features = gated(conv('features', 'sum', [32, 12, 1]));
  const weight = tensor('fc.w', [32, classes], (value) => value / 4);
  nodes.push(
    makeNode('GlobalAveragePool', [features], ['pooled']),
    makeNode('Reshape', ['pooled', shape('row', [-1, 32])], ['row.pooled']),
    makeNode('Dropout', ['row.pooled'], ['row.kept']),
    makeNode('MatMul', ['row.kept', weight], ['product']),
    makeNode('Add', ['product', tensor('fc.b', [classes])], ['scores']),
  );
  return {
    irVersion: 8,
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'depthwise',
      node: nodes,
      initializer: tensors,
      input: [floatValue('image', ['N', 3, convSide, convSide])],
      output: [floatValue('scores', ['N', classes])],
      valueInfo: [],
      metadataProps: [],
    },
    metadataProps: [],
  };
}
