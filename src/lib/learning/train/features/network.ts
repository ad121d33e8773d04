/** SqueezeNet without its classifier: a network whose scores are the 512 features that the classifier is given. */
import { inSharedMemory } from '../../../models/format/model-files.ts';
import { serializeOnnx } from '../../../models/onnx/onnx.ts';
import { buildSqueezeNet11, type SqueezeNetWeights } from '../../../models/onnx/squeezenet.ts';

/** Features of an image: the means of the last fire module's channels over all positions. */
export const featureCount = 512;

/**
 * The mean of a 1×1 convolution is the convolution of the mean: so a head trained on these features is, as the last
 * convolution and without the ReLU behind it, the same function. Here that convolution is the identity, which leaves an
 * ordinary SqueezeNet that every engine executes.
 */
export function featureNetwork(parent: SqueezeNetWeights, inputSize: number): Uint8Array {
  const weights: SqueezeNetWeights = new Map(parent);
  const identity = new Float32Array(featureCount * featureCount);
  for (let i = 0; i < featureCount; i++) identity[i * featureCount + i] = 1;
  weights.set('classifier.1.weight', { dims: [featureCount, featureCount, 1, 1], data: identity });
  weights.set('classifier.1.bias', { dims: [featureCount], data: new Float32Array(featureCount) });
  return inSharedMemory(serializeOnnx(buildSqueezeNet11(weights, { finalRelu: false, inputSize })));
}
