/** SqueezeNet as an ONNX graph, made from the tensors of a torchvision state dict. */
import { invalidOnnx, type OnnxModel, type OnnxNode, floatValue, makeNode } from './graph.ts';
import {
  classifier,
  type Convolution,
  convolutions,
  isInputSize,
  squeezeNet10,
  squeezeNet11,
  type SqueezeNetLayout,
  usualInputSize,
  weightDims,
} from './squeezenet-layout.ts';
import { floatTensor } from './tensors.ts';

export { readSqueezeNet11 } from './squeezenet-read.ts';

export interface WeightTensor {
  dims: readonly number[];
  data: Float32Array;
}

/** By the state dict's names: `features.0.weight`, `features.3.squeeze.bias`, …, `classifier.1.bias`. */
export type SqueezeNetWeights = Map<string, WeightTensor>;

export interface SqueezeNetOptions {
  /** How many classes the weights must have; by default as many as `classifier.1.weight` has. */
  classes?: number;
  /** The ReLU between the last convolution and the pooling, which torchvision has. Default true. */
  finalRelu?: boolean;
  /** Width and height of its images, in pixels: a multiple of 16 from 32 to 512. Default 224. */
  inputSize?: number;
}

/**
 * The graph: opset 13, input `input` float32 [N,3,inputSize,inputSize], output `logits` [N,classes]. Throws `model_invalid`, naming the
 * first tensor that is missing, too many or of another shape.
 */
export function buildSqueezeNet11(weights: SqueezeNetWeights, options: SqueezeNetOptions = {}): OnnxModel {
  const classes = options.classes ?? weights.get('classifier.1.weight')?.dims[0] ?? 1000;
  const inputSize = options.inputSize ?? usualInputSize;
  if (!isInputSize(inputSize)) {
    throw invalidOnnx(`SqueezeNet 1.1 cannot take images of ${inputSize} pixels a side`, {
      hint: 'Take a multiple of 16 from 32 to 512.',
    });
  }
  return build(squeezeNet11, weights, { classes, inputSize, finalRelu: options.finalRelu ?? true });
}

/** The graph of SqueezeNet 1.0, for images of 224 pixels; else as that of 1.1. */
export function buildSqueezeNet10(weights: SqueezeNetWeights): OnnxModel {
  const classes = weights.get('classifier.1.weight')?.dims[0] ?? 1000;
  return build(squeezeNet10, weights, { classes, inputSize: usualInputSize, finalRelu: true });
}

function build(
  layout: SqueezeNetLayout,
  weights: SqueezeNetWeights,
  { classes, inputSize, finalRelu }: Required<SqueezeNetOptions>,
): OnnxModel {
  const expected = convolutions(classes, layout).flatMap((convolution) => [
    { name: `${convolution.name}.weight`, dims: weightDims(convolution) },
    { name: `${convolution.name}.bias`, dims: [convolution.outputs] },
  ]);
  const initializer = expected.map(({ name, dims }) => {
    const tensor = weights.get(name);
    checkTensor(layout, name, dims, tensor);
    return floatTensor(name, dims, tensor.data);
  });
  const names = new Set(expected.map(({ name }) => name));
  for (const name of weights.keys()) {
    if (!names.has(name)) throw notTheWeights(layout, `has a tensor ${name}, which ${title(layout)} does not have`);
  }
  return {
    irVersion: 7,
    opsetImport: [{ domain: '', version: 13 }],
    producerName: 'visionscale',
    graph: {
      node: nodes(layout, classes, finalRelu),
      name: layout.name,
      initializer,
      input: [floatValue('input', ['N', 3, inputSize, inputSize])],
      output: [floatValue('logits', ['N', classes])],
      valueInfo: [],
      metadataProps: [],
    },
    metadataProps: [],
  };
}

function nodes({ stem, blocks }: SqueezeNetLayout, classes: number, finalRelu: boolean): OnnxNode[] {
  const all: OnnxNode[] = [];
  const add = (...args: Parameters<typeof makeNode>): string => {
    all.push(makeNode(...args));
    return args[2][0]!;
  };
  const convolve = (layer: Convolution, from: string): string => {
    const { name, kernel } = layer;
    const pad = layer === stem || kernel === 1 ? 0 : 1;
    const stride = layer === stem ? 2 : 1;
    return add('Conv', [from, `${name}.weight`, `${name}.bias`], [name], {
      kernel_shape: [kernel, kernel],
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
    });
  };
  const relu = (from: string): string => add('Relu', [from], [`${from}.relu`]);

  let x = relu(convolve(stem, 'input'));
  for (const [index, block] of blocks.entries()) {
    if (block === 'pool') {
      x = add('MaxPool', [x], [`pool.${index}`], { ceil_mode: 1, kernel_shape: [3, 3], strides: [2, 2] });
      continue;
    }
    const squeezed = relu(convolve(block.squeeze, x));
    const halves = [block.expand1x1, block.expand3x3].map((layer) => relu(convolve(layer, squeezed)));
    x = add('Concat', halves, [block.squeeze.name.replace('.squeeze', '')], { axis: 1 });
  }
  x = convolve(classifier(classes), x);
  if (finalRelu) x = relu(x);
  add('Flatten', [add('GlobalAveragePool', [x], ['pooled'])], ['logits'], { axis: 1 });
  return all;
}

function checkTensor(
  layout: SqueezeNetLayout,
  name: string,
  dims: readonly number[],
  tensor: WeightTensor | undefined,
): asserts tensor is WeightTensor {
  if (tensor === undefined) throw notTheWeights(layout, `lacks the tensor ${name}`);
  const size = dims.reduce((product, dim) => product * dim, 1);
  if (tensor.dims.join() !== dims.join() || tensor.data.length !== size) {
    throw notTheWeights(
      layout,
      `has ${name} with the shape ${tensor.dims.join('×')} (${tensor.data.length} values), not ${dims.join('×')}`,
    );
  }
}

function title({ name }: SqueezeNetLayout): string {
  return name === 'squeezenet1_0' ? 'SqueezeNet 1.0' : 'SqueezeNet 1.1';
}

function notTheWeights({ name }: SqueezeNetLayout, fault: string) {
  return invalidOnnx(`the state dict ${fault}`, {
    hint:
      `It must be the state dict of torchvision’s ${name}. Export another network:\n` +
      'torch.onnx.export(model.eval(), torch.zeros(1, 3, 224, 224), "model.onnx", external_data=False)',
  });
}
