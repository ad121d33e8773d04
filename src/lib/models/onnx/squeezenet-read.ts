/** Recognises SqueezeNet 1.1 in an ONNX graph by its structure, whatever its tensors are called. */
import { GraphWalk } from './graph-walk.ts';
import {
  blocks,
  classifier,
  isInputSize,
  stem,
  usualInputSize,
  weightDims,
  type Convolution,
} from './squeezenet-layout.ts';
import type { SqueezeNetWeights } from './squeezenet.ts';
import type { OnnxModel, OnnxNode } from './types.ts';

export interface SqueezeNet11 {
  weights: SqueezeNetWeights;
  classes: number;
  /** Width and height of its images, in pixels. */
  inputSize: number;
  /** Whether a ReLU stands between the last convolution and the pooling. */
  finalRelu: boolean;
}

/** Throws a VisionscaleError `model_invalid`, saying what is different, when the graph computes anything else. */
export function readSqueezeNet11(model: OnnxModel): SqueezeNet11 {
  const walk = new GraphWalk(model, 'SqueezeNet 1.1');
  const weights: SqueezeNetWeights = new Map();

  const convolve = (layer: Convolution, node: OnnxNode): string => {
    const isStem = layer === stem;
    const pad = isStem || layer.kernel === 1 ? 0 : 1;
    walk.expectInts(node, 'strides', isStem ? [2, 2] : [1, 1], [1, 1]);
    walk.expectInts(node, 'pads', [pad, pad, pad, pad], [0, 0, 0, 0]);
    walk.expectInts(node, 'dilations', [1, 1], [1, 1]);
    walk.expectInt(node, 'group', 1, 1);
    walk.expectNoAutoPad(node);
    weights.set(`${layer.name}.weight`, walk.weights(node, 1, weightDims(layer)));
    weights.set(`${layer.name}.bias`, walk.weights(node, 2, [layer.outputs]));
    return walk.output(node);
  };
  const relu = (from: string): string => walk.output(walk.only(from, 'Relu'));
  const pool = (from: string): string => {
    const node = walk.only(from, 'MaxPool');
    walk.expectInts(node, 'kernel_shape', [3, 3], []);
    walk.expectInts(node, 'strides', [2, 2], [1, 1]);
    walk.expectInts(node, 'dilations', [1, 1], [1, 1]);
    walk.expectNoAutoPad(node);
    // Of such an input nothing is left over at the edges: rounding up, or one pixel of padding there, changes nothing.
    walk.expectInts(node, 'pads', [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1]);
    return walk.output(node);
  };

  const { name: input, side: inputSize } = walk.imageInput(usualInputSize, isInputSize);
  let x = relu(convolve(stem, walk.only(input, 'Conv')));
  for (const block of blocks) {
    if (block === 'pool') {
      x = pool(x);
      continue;
    }
    const squeezed = relu(convolve(block.squeeze, walk.only(x, 'Conv')));
    const [one, three] = walk.byKernel(squeezed, [1, 3]);
    const halves = [relu(convolve(block.expand1x1, one)), relu(convolve(block.expand3x3, three))];
    const concat = walk.joined(halves, 'Concat');
    walk.expectInt(concat, 'axis', 1, 1, -3);
    x = walk.output(concat);
  }
  const last = walk.only(x, 'Conv');
  const classes = walk.outputsOf(last);
  x = convolve(classifier(classes), last);
  const finalRelu = walk.next(x)?.opType === 'Relu';
  if (finalRelu) x = relu(x);
  x = walk.output(walk.only(x, 'GlobalAveragePool'));
  const flatten = walk.only(x, 'Flatten', 'Reshape');
  if (flatten.opType === 'Flatten') walk.expectInt(flatten, 'axis', 1, 1, -3);
  walk.expectEnd(walk.output(flatten));
  return { weights, classes, inputSize, finalRelu };
}
