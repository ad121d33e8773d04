/** The weights a training starts with: at random, or a parent's with a classifier layer of its own. */
import { classifier, convolutions, weightDims } from '../../../models/onnx/squeezenet-layout.ts';
import type { SqueezeNetWeights } from '../../../models/onnx/squeezenet.ts';

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

/** The parent's convolutions below a new classifier layer. */
export function inheritedWeights(
  parent: SqueezeNetWeights,
  classes: number,
  random: () => number,
): SqueezeNetWeights {
  const weights = randomWeights(classes, random);
  const head = classifier(classes).name;
  for (const name of weights.keys()) {
    if (!name.startsWith(`${head}.`)) weights.set(name, parent.get(name)!);
  }
  return weights;
}

/** Box and Muller's. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
