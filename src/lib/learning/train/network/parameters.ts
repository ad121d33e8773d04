/** All weights as one vector, from the first ones on: the optimizer needs a handful of operations, a checkpoint one array. */
import {
  classifier,
  convolutions,
  type Convolution,
  weightDims,
} from '../../../models/onnx/squeezenet-layout.ts';
import type { SqueezeNetWeights } from '../../../models/onnx/squeezenet.ts';
import type { Tensor, TensorFlow } from './tensorflow.ts';

export interface Parameter {
  name: string;
  /** HWIO for kernels. */
  shape: number[];
  size: number;
}

export interface ParameterLayout {
  all: Parameter[];
  /** Length of the vector. */
  length: number;
  /** Where the classifier layer begins; it ends the vector. */
  head: number;
}

export function parameterLayout(classes: number): ParameterLayout {
  const all = convolutions(classes).flatMap(parametersOf);
  const length = all.reduce((sum, { size }) => sum + size, 0);
  const head = length - parametersOf(classifier(classes)).reduce((sum, { size }) => sum + size, 0);
  return { all, length, head };
}

function parametersOf({ name, inputs, outputs, kernel }: Convolution): Parameter[] {
  return [
    {
      name: `${name}.weight`,
      shape: [kernel, kernel, inputs, outputs],
      size: kernel * kernel * inputs * outputs,
    },
    { name: `${name}.bias`, shape: [outputs], size: outputs },
  ];
}

/** The parts of the vector by name; the caller tidies. */
export function parts(tf: TensorFlow, vector: Tensor, { all }: ParameterLayout): Map<string, Tensor> {
  const sizes = all.map(({ size }) => size);
  const flat = tf.split(vector, sizes, 0);
  return new Map(all.map(({ name, shape }, i) => [name, tf.reshape(flat[i]!, shape)]));
}

/** The vector of what `parts` gives (or of their gradients). */
export function joined(tf: TensorFlow, named: Map<string, Tensor>, { all }: ParameterLayout): Tensor {
  return tf.concat(
    all.map(({ name }) => tf.reshape(named.get(name)!, [-1])),
    0,
  );
}

/** From torchvision's order of dimensions (OIHW) to a vector, and back. */
export function toVector(weights: SqueezeNetWeights, { all, length }: ParameterLayout): Float32Array {
  const vector = new Float32Array(length);
  let at = 0;
  for (const { name, shape, size } of all) {
    const { data } = weights.get(name)!;
    forEachPlace(shape, (hwio, oihw) => (vector[at + hwio] = data[oihw]!));
    at += size;
  }
  return vector;
}

export function fromVector(vector: Float32Array, { all }: ParameterLayout): SqueezeNetWeights {
  const weights: SqueezeNetWeights = new Map();
  let at = 0;
  for (const { name, shape, size } of all) {
    const data = new Float32Array(size);
    const start = at;
    forEachPlace(shape, (hwio, oihw) => (data[oihw] = vector[start + hwio]!));
    const [height, width, inputs, outputs] = shape;
    const dims = shape.length === 1 ? shape : [outputs!, inputs!, height!, width!];
    weights.set(name, { dims, data });
    at += size;
  }
  return weights;
}

function forEachPlace(shape: readonly number[], visit: (hwio: number, oihw: number) => void): void {
  if (shape.length === 1) {
    for (let i = 0; i < shape[0]!; i++) visit(i, i);
    return;
  }
  const [height, width, inputs, outputs] = shape as [number, number, number, number];
  const area = height * width;
  let hwio = 0;
  for (let place = 0; place < area; place++) {
    for (let input = 0; input < inputs; input++) {
      for (let output = 0; output < outputs; output++, hwio++) {
        visit(hwio, (output * inputs + input) * area + place);
      }
    }
  }
}

// The weights a training starts with.

/** The classifier's weights at the start: small, so that all classes are about equally likely (torchvision's choice). */
const headDeviation = 0.01;

/** He's: every layer's output varies as much as its input. Biases are zero. */
export function randomWeights(classes: number, random: () => number): SqueezeNetWeights {
  const weights: SqueezeNetWeights = new Map();
  const head = classifier(classes).name;
  for (const layer of convolutions(classes)) {
    const dims = weightDims(layer);
    const deviation = layer.name === head ? headDeviation : Math.sqrt(2 / (layer.inputs * layer.kernel ** 2));
    const length = dims.reduce((product, dim) => product * dim, 1);
    const data = Float32Array.from({ length }, () => deviation * normal(random));
    weights.set(`${layer.name}.weight`, { dims, data });
    weights.set(`${layer.name}.bias`, { dims: [layer.outputs], data: new Float32Array(layer.outputs) });
  }
  return weights;
}

/** Box and Muller's. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
