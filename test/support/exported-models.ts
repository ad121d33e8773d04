/** Classifiers of a few kilobytes with the structures that exporters write; their weights are pseudo-random. */
import {
  floatValue,
  makeNode,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  tensorType,
} from '../../src/lib/models/onnx/graph.ts';
import { floatTensor } from '../../src/lib/models/onnx/tensors.ts';
import { randomNumbers } from './conv-model.ts';
import { int64s } from './hostile-models.ts';

export const exportedSide = 16;
export const exportedClasses = 6;
const width = 12;

export interface ExportedModel {
  model: OnnxModel;
  /** The tensor that the last linear layer takes: [1, features], or with positions behind. */
  features: string;
}

/** Writes the nodes between `image` (N×3×16×16) and `features`, and what follows them. */
class Writer {
  readonly nodes: OnnxNode[] = [];
  readonly tensors: OnnxTensor[] = [];
  readonly #numbers = randomNumbers(11);
  #count = 0;

  /** A node with one result, whose name it returns. */
  put(
    opType: string,
    input: string[],
    attributes: Record<string, number | number[]> = {},
    name = `t${this.#count++}`,
  ): string {
    this.nodes.push(makeNode(opType, input, [name], attributes));
    return name;
  }

  weights(...dims: number[]): string {
    const size = dims.reduce((product, dim) => product * dim, 1);
    const fan = size / dims[0]!;
    return this.values(
      dims,
      this.#numbers(size).map((value) => value * Math.sqrt(6 / fan)),
    );
  }

  values(dims: number[], values: Float32Array | number[]): string {
    const name = `w${this.tensors.length}`;
    this.tensors.push(floatTensor(name, dims, Float32Array.from(values)));
    return name;
  }

  integers(...values: number[]): string {
    const name = `i${this.tensors.length}`;
    this.tensors.push(int64s(name, [values.length], ...values.map(BigInt)));
    return name;
  }

  conv(
    from: string,
    channels: number,
    out: number,
    kernel = 1,
    more: Record<string, number | number[]> = {},
  ): string {
    const group = more['group'] === undefined ? 1 : channels;
    const pad = (kernel - 1) / 2;
    const attributes = { kernel_shape: [kernel, kernel], pads: [pad, pad, pad, pad], ...more };
    return this.put(
      'Conv',
      [from, this.weights(out, channels / group, kernel, kernel), this.weights(out)],
      attributes,
    );
  }

  /** Squeeze and excitation, as MobileNetV3 and EfficientNet have it. */
  excite(from: string, squeeze: (from: string) => string): string {
    const inner = this.put('Relu', [this.conv(squeeze(from), width, 4)]);
    return this.put('Mul', [from, this.put('HardSigmoid', [this.conv(inner, 4, width)])]);
  }

  gemm(from: string, features: number, name?: string): string {
    return this.put(
      'Gemm',
      [from, this.weights(exportedClasses, features), this.weights(exportedClasses)],
      { transB: 1 },
      name,
    );
  }

  model(
    input: { name: string; sizes: (number | string)[]; type?: number },
    scores: number | string = exportedClasses,
  ): OnnxModel {
    const image = floatValue(input.name, input.sizes);
    image.type!.tensorType!.elemType = input.type ?? tensorType.float32;
    return {
      irVersion: 8,
      opsetImport: [{ domain: '', version: 17 }],
      graph: {
        name: 'exported',
        node: this.nodes,
        initializer: this.tensors,
        input: [image],
        output: [floatValue('scores', ['N', scores])],
        valueInfo: [],
        metadataProps: [],
      },
      metadataProps: [],
    };
  }
}

const plain = { name: 'image', sizes: ['N', 3, exportedSide, exportedSide] };

function stem(to: Writer, from = 'image'): string {
  return to.put('HardSwish', [to.conv(from, 3, width, 3, { strides: [2, 2] })]);
}

const means = (to: Writer) => (from: string) => to.put('ReduceMean', [from], { axes: [2, 3], keepdims: 1 });

/** torchvision's MobileNetV3: depthwise convolutions, squeeze and excitation, two linear layers. */
export function mobileNetV3(): ExportedModel {
  const to = new Writer();
  const deep = to.conv(stem(to), width, width, 3, { group: width });
  const excited = to.excite(deep, (from) => to.put('GlobalAveragePool', [from]));
  const pooled = to.put('Flatten', [to.put('GlobalAveragePool', [to.put('HardSwish', [excited])])], {
    axis: 1,
  });
  const hidden = to.put('Gemm', [pooled, to.weights(20, width), to.weights(20)], { transB: 1 });
  const features = to.put('HardSwish', [hidden]);
  to.gemm(features, 20, 'scores');
  return { model: to.model(plain), features };
}

/** ResNet18 as PyTorch's present exporter writes it: residual sums, a mean with its axes below zero, a Reshape; one image only. */
export function resNet(): ExportedModel {
  const to = new Writer();
  const first = stem(to);
  const sum = to.put('Relu', [
    to.put('Add', [to.conv(to.put('Relu', [to.conv(first, width, width, 3)]), width, width, 3), first]),
  ]);
  const pooled = to.put('ReduceMean', [sum], { axes: [-1, -2], keepdims: 1 });
  const features = to.put('Reshape', [pooled, to.integers(1, width)]);
  to.gemm(features, width, 'scores');
  return { model: to.model({ ...plain, sizes: [1, 3, exportedSide, exportedSide] }), features };
}

/** timm's MobileNetV4 and HGNetV2: a convolution with its activation behind the pooling, then the linear layer. */
export function convHead(): ExportedModel {
  const to = new Writer();
  const pooled = to.put('GlobalAveragePool', [to.conv(stem(to), width, width, 3)]);
  const head = to.put('Relu', [to.conv(pooled, width, 24)]);
  const features = to.put('Flatten', [head], { axis: 1 });
  to.gemm(features, 24, 'scores');
  return { model: to.model(plain), features };
}

/** HGNetV2's other end: the classes are a 1×1 convolution. */
export function convEnd(): ExportedModel {
  const to = new Writer();
  const features = to.put('GlobalAveragePool', [stem(to)]);
  to.put('Flatten', [to.conv(features, width, exportedClasses)], { axis: 1 }, 'scores');
  return { model: to.model(plain), features };
}

/** ConvNeXt and vision transformers: channels last inside, LayerNormalization, MatMul and Add. */
export function layerNorm(): ExportedModel {
  const to = new Writer();
  const tokens = to.put('Transpose', [to.put('Reshape', [stem(to), to.integers(0, width, -1)])], {
    perm: [0, 2, 1],
  });
  const normed = to.put('LayerNormalization', [tokens, to.weights(width), to.weights(width)], { axis: -1 });
  const shares = to.put(
    'Softmax',
    [to.put('MatMul', [normed, to.put('Transpose', [normed], { perm: [0, 2, 1] })])],
    { axis: -1 },
  );
  const seen = to.put('Add', [tokens, to.put('MatMul', [shares, normed])]);
  const features = to.put('ReduceMean', [seen], { axes: [1], keepdims: 0 });
  const product = to.put('MatMul', [features, to.weights(width, exportedClasses)]);
  to.put('Add', [product, to.weights(exportedClasses)], {}, 'scores');
  return { model: to.model(plain), features };
}

/** Keras through tf2onnx: channels last, values from 0 to 255 that the graph scales, inputs left behind. */
export function keras(): ExportedModel {
  const to = new Writer();
  const scaled = to.put('Mul', ['image:0', to.values([], [1 / 255])]);
  const less = to.put('Sub', [scaled, to.values([3], [0.4, 0.5, 0.6])]);
  const turned = to.put('Transpose', [less], { perm: [0, 3, 1, 2] });
  const features = to.put('Squeeze', [means(to)(stem(to, turned)), to.integers(2, 3)]);
  const product = to.put('MatMul', [features, to.weights(width, exportedClasses)]);
  to.put('Softmax', [to.put('Add', [product, to.weights(exportedClasses)])], {}, 'scores');
  const model = to.model({ name: 'image:0', sizes: ['unk__1', exportedSide, exportedSide, 3] });
  model.graph.input.push(floatValue('normalization/Sub/y:0', [1, 1, 1, 3]));
  return { model, features };
}

/** Pixels as a camera gives them; scores as a map of one position. */
export function camera(): ExportedModel {
  const to = new Writer();
  const turned = to.put('Transpose', [to.put('Cast', ['pixels'], { to: tensorType.float32 })], {
    perm: [0, 3, 1, 2],
  });
  const scaled = to.put('Div', [turned, to.values([], [255])]);
  const features = to.put('GlobalAveragePool', [stem(to, scaled)]);
  to.put('Conv', [features, to.weights(exportedClasses, width, 1, 1)], { kernel_shape: [1, 1] }, 'scores');
  const model = to.model({
    name: 'pixels',
    sizes: ['N', exportedSide, exportedSide, 3],
    type: tensorType.uint8,
  });
  model.graph.output = [floatValue('scores', ['N', exportedClasses, 1, 1])];
  return { model, features };
}

/** Half precision from its input to its output. */
export function halfPrecision(): ExportedModel {
  const to = new Writer();
  const features = to.put('Flatten', [to.put('GlobalAveragePool', [stem(to)])], { axis: 1 });
  to.gemm(features, width, 'scores');
  const model = to.model({ ...plain, type: tensorType.float16 });
  const { graph } = model;
  const halves = to.tensors.map(({ name }) =>
    makeNode('Cast', [name!], [`${name}.half`], { to: tensorType.float16 }),
  );
  const names = new Set(to.tensors.map(({ name }) => name));
  const nodes = graph.node.map((node) => ({
    ...node,
    input: node.input.map((name) => (names.has(name) ? `${name}.half` : name)),
  }));
  graph.output[0]!.type!.tensorType!.elemType = tensorType.float16;
  return { model: { ...model, graph: { ...graph, node: [...halves, ...nodes] } }, features };
}

/** The graph leaves the sides open. */
export function anySide(): ExportedModel {
  const { model, features } = convEnd();
  const input = [floatValue('image', ['N', 3, 'height', 'width'])];
  return { model: { ...model, graph: { ...model.graph, input } }, features };
}
