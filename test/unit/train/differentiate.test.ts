import { isDeepStrictEqual } from 'node:util';
import { expect, it } from 'vitest';
import { forward } from '../../../src/lib/learning/train/network/differentiate.ts';
import { randomNumbers } from '../../../src/lib/learning/train/network/epoch.ts';
import { normalisationEpsilon, openOperations } from '../../../src/lib/learning/train/network/operations.ts';
import {
  randomWeights,
  fromVector,
  joined,
  parameterLayout,
  parts,
  toVector,
} from '../../../src/lib/learning/train/network/parameters.ts';
import {
  loadForTraining,
  type Tensor,
  type TensorFlow,
} from '../../../src/lib/learning/train/network/tensorflow.ts';
import {
  blocks,
  classifier,
  stem,
  type Convolution,
} from '../../../src/lib/models/onnx/squeezenet-layout.ts';
import { describeTfjs } from '../../support/engines.ts';

const classes = 3;
const side = 48;
const images = 2;

/** What tfjs differentiates by itself, step by step as torchvision writes the network. */
interface Differentiating extends TensorFlow {
  valueAndGrad(f: (x: Tensor) => Tensor): (x: Tensor) => { value: Tensor; grad: Tensor };
}

function lossOfPlainNetwork(
  tf: TensorFlow,
  weights: Map<string, Tensor>,
  x: Tensor,
  normalise: boolean,
  by: Tensor,
): Tensor {
  const step = (from: Tensor, layers: readonly Convolution[], pool: boolean, strides: 1 | 2 = 1): Tensor => {
    const pad = strides === 2 ? 'valid' : 'same';
    const each = layers.map(({ name }) => tf.conv2d(from, weights.get(`${name}.weight`)!, strides, pad));
    let at = each.length === 1 ? each[0]! : tf.concat(each, 3);
    if (normalise) {
      if (pool) at = tf.maxPool(at, 3, 2, 'valid');
      const centred = tf.sub(at, tf.mean(at, [0, 1, 2]));
      const variance = tf.mean(tf.square(centred), [0, 1, 2]);
      at = tf.div(centred, tf.sqrt(tf.add(variance, tf.scalar(normalisationEpsilon))));
    }
    const biases = layers.map(({ name }) => weights.get(`${name}.bias`)!);
    at = tf.relu(tf.add(at, biases.length === 1 ? biases[0]! : tf.concat(biases, 0)));
    return pool && !normalise ? tf.maxPool(at, 3, 2, 'valid') : at;
  };
  let at = step(x, [stem], true, 2);
  for (const [i, block] of blocks.entries()) {
    if (block === 'pool') continue;
    const squeezed = step(at, [block.squeeze], false);
    at = step(squeezed, [block.expand1x1, block.expand3x3], blocks[i + 1] === 'pool');
  }
  const { name } = classifier(classes);
  const sums = tf.conv2d(at, weights.get(`${name}.weight`)!, 1, 'same');
  const biased = tf.add(sums, weights.get(`${name}.bias`)!);
  return tf.sum(tf.mul(tf.mean(biased, [1, 2]), by));
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

describeTfjs('SqueezeNet backwards', () => {
  it.each([false, true])('has the gradients that tfjs derives, normalised: %s', async (normalise) => {
    const tf = (await loadForTraining()) as Differentiating;
    const operations = openOperations(tf);
    const layout = parameterLayout(classes);
    const random = randomNumbers(3);
    const weights = randomWeights(classes, random);
    for (const [name, { data }] of weights) {
      if (name.endsWith('.bias')) data.forEach((_, i) => (data[i] = random() - 0.3));
    }
    const values = Float32Array.from({ length: images * side * side * 3 }, () => 4 * random() - 2);
    const before = tf.memory().numTensors;
    const [expected, found, loss, scores] = tf.tidy<[Tensor, Tensor, Tensor, Tensor]>(() => {
      const x = tf.tensor(values, [images, side, side, 3]);
      const by = tf.tensor(Float32Array.from([1, -2, 0.5, -1, 3, 0.25]), [images, classes]);
      const vector = tf.tensor(toVector(weights, layout), [layout.length]);
      const { value, grad } = tf.valueAndGrad((v) =>
        lossOfPlainNetwork(tf, parts(tf, v, layout), x, normalise, by),
      )(vector);
      const pass = forward(tf, operations, parts(tf, vector, layout), x, { classes, normalise });
      return [grad, joined(tf, pass.backward(by), layout), value, tf.sum(tf.mul(pass.scores, by))];
    });
    expect(scores.dataSync()[0]).toBeCloseTo(loss.dataSync()[0]!, normalise ? 3 : 5);
    const wanted = fromVector(expected.dataSync(), layout);
    for (const [name, { data }] of fromVector(found.dataSync(), layout)) {
      const truth = wanted.get(name)!.data;
      const scale = largest(truth);
      expect(scale, name).toBeGreaterThan(0);
      const most = largest(data.map((value, i) => value - truth[i]!));
      expect(most / scale, name).toBeLessThan(normalise ? 5e-3 : 1e-4);
    }
    tf.dispose([expected, found, loss, scores]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

it('turns weights into a vector and back', () => {
  const weights = randomWeights(classes, randomNumbers(1));
  const layout = parameterLayout(classes);
  expect(isDeepStrictEqual(fromVector(toVector(weights, layout), layout), weights)).toBe(true);
});
