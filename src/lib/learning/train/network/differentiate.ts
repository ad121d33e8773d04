/** SqueezeNet 1.1 forwards and backwards: the scores of a batch, and from their gradient that of every weight. */
import {
  blocks,
  classifier,
  stem,
  type Block,
  type Convolution,
  type Fire,
} from '../../../models/onnx/squeezenet-layout.ts';
import type { Operations, Padding } from './operations.ts';
import type { Tensor, TensorFlow } from './tensorflow.ts';

export interface NetworkOptions {
  classes: number;
  /** In training: every layer but the last is normalised over the batch before its bias. */
  normalise?: boolean;
}

/** What a layer's channels are like before they are normalised: of the batch. */
export interface Statistics {
  mean: Tensor;
  variance: Tensor;
}

export interface ForwardPass {
  /** [N, classes]. */
  scores: Tensor;
  /** Of every normalised layer, by its name. */
  statistics: Map<string, Statistics>;
  /** The gradients of all weights, by name; frees what the pass has kept. */
  backward(gradient: Tensor): Map<string, Tensor>;
}

/** One layer's way back: from the gradient of its output to that of its input. */
type Back = (gradient: Tensor) => Tensor;

const channels = 3;

/**
 * Runs the network on `images` [N,side,side,3]. `dropout` multiplies the classifier's input where it is given. Both passes
 * belong into one `tidy`; what is no longer needed goes at once, for a batch holds hundreds of megabytes.
 *
 * No ReLU stands between the last convolution and the pooling: a class whose ReLU is dead at the start would get no gradient and
 * never come to life. Where a pooling follows, bias and ReLU come after it: both are monotone, so the maximum is the same, on a quarter of the pixels.
 */
export function forward(
  tf: TensorFlow,
  operations: Operations,
  weights: Map<string, Tensor>,
  images: Tensor,
  { classes, normalise = false }: NetworkOptions,
  dropout?: Tensor,
): ForwardPass {
  const gradients = new Map<string, Tensor>();
  const statistics = new Map<string, Statistics>();
  const way: Back[] = [];
  const weight = ({ name }: Convolution) => weights.get(`${name}.weight`)!;
  const bias = ({ name }: Convolution) => weights.get(`${name}.bias`)!;

  /** Bias (after normalisation, if wanted) of sums that stay; `layers` share the channels equally. */
  function shift(x: Tensor, layers: readonly Convolution[], normalising: boolean): { y: Tensor; back: Back } {
    const biases = layers.length === 1 ? bias(layers[0]!) : tf.concat(layers.map(bias), 0);
    const share = (all: Tensor) => (layers.length === 1 ? [all] : tf.split(all, layers.length, 0));
    const keepGradient = (all: Tensor) => {
      const each = share(all);
      for (const [i, { name }] of layers.entries()) gradients.set(`${name}.bias`, each[i]!);
    };
    if (!normalising) {
      const back: Back = (gradient) => {
        keepGradient(operations.biasGradient(gradient));
        return gradient;
      };
      return { y: operations.addBias(x, biases), back };
    }
    const normalised = operations.normalise(x, biases);
    const [means, variances] = [share(normalised.mean), share(normalised.variance)];
    for (const [i, { name }] of layers.entries()) {
      statistics.set(name, { mean: means[i]!, variance: variances[i]! });
    }
    const back: Back = (gradient) => {
      const found = normalised.gradient(gradient);
      gradient.dispose();
      keepGradient(found.offset);
      return found.x;
    };
    return { y: normalised.y, back };
  }

  /** Pooling if wanted, then bias and ReLU, of sums that it takes over. */
  function activate(
    sums: Tensor,
    layers: readonly Convolution[],
    { pool, relu = true, normalised = normalise }: { pool: boolean; relu?: boolean; normalised?: boolean },
  ): { y: Tensor; back: Back } {
    const pooled = pool ? operations.pool(sums) : undefined;
    const shifted = shift(pooled?.y ?? sums, layers, normalised);
    if (!pooled && !normalised) sums.dispose();
    const y = relu ? tf.relu(shifted.y) : shifted.y;
    if (relu) shifted.y.dispose();
    const back: Back = (gradient) => {
      const inner = relu ? operations.reluGradient(gradient, y) : gradient;
      if (relu) gradient.dispose();
      const moved = shifted.back(inner);
      if (!pooled) {
        sums.dispose();
        return moved;
      }
      const outer = pooled.gradient(moved);
      for (const used of [moved, sums, pooled.y]) used.dispose();
      return outer;
    };
    return { y, back };
  }

  function layer(
    x: Tensor,
    convolution: Convolution,
    options: {
      pool?: boolean;
      relu?: boolean;
      stride?: number;
      pad?: Padding;
      first?: boolean;
      normalised?: boolean;
    },
  ) {
    const {
      pool = false,
      relu = true,
      stride = 1,
      pad = 'same',
      first = false,
      normalised = normalise,
    } = options;
    const kernel = weight(convolution);
    const sums = operations.convolve(x, kernel, stride, pad);
    const { y, back } = activate(sums, [convolution], { pool, relu, normalised });
    const whole: Back = (gradient) => {
      const inner = back(gradient);
      gradients.set(`${convolution.name}.weight`, operations.kernelGradient(x, kernel, inner, stride, pad));
      // Nobody asks for the gradient of the images.
      const outer = first ? inner : operations.inputGradient(x, kernel, inner);
      if (outer !== inner) inner.dispose();
      y.dispose();
      return outer;
    };
    return { y, back: whole };
  }

  function fire(
    x: Tensor,
    { squeeze, expand1x1, expand3x3 }: Fire,
    pool: boolean,
  ): { y: Tensor; back: Back } {
    const squeezed = layer(x, squeeze, {});
    const halves = [expand1x1, expand3x3].map((half) => {
      return operations.convolve(squeezed.y, weight(half), 1, 'same');
    });
    const sums = tf.concat(halves, channels);
    for (const half of halves) half.dispose();
    const { y, back } = activate(sums, [expand1x1, expand3x3], { pool });
    const whole: Back = (gradient) => {
      const inner = back(gradient);
      const split = tf.split(inner, 2, channels);
      inner.dispose();
      const [one, three] = [expand1x1, expand3x3].map((half, i) => {
        const part = split[i]!;
        gradients.set(
          `${half.name}.weight`,
          operations.kernelGradient(squeezed.y, weight(half), part, 1, 'same'),
        );
        const outer = operations.inputGradient(squeezed.y, weight(half), part);
        part.dispose();
        return outer;
      }) as [Tensor, Tensor];
      const both = tf.add(one, three);
      for (const used of [one, three, y]) used.dispose();
      return squeezed.back(both);
    };
    return { y, back: whole };
  }

  const first = layer(images, stem, { pool: true, stride: 2, pad: 'valid', first: true });
  way.push(first.back);
  let x = first.y;
  for (const [i, block] of blocks.entries()) {
    if (block === 'pool') continue; // done with the layer before it
    const next = fire(x, block, followedByPool(blocks, i));
    way.push(next.back);
    x = next.y;
  }
  if (dropout) {
    x = tf.mul(x, dropout);
    way.push((gradient) => tf.mul(gradient, dropout));
  }
  const last = layer(x, classifier(classes), { relu: false, normalised: false });
  way.push(last.back);
  const [, height, width] = last.y.shape as [number, number, number];
  const scores = tf.mean(last.y, [1, 2]);

  return {
    scores,
    statistics,
    backward(gradient) {
      const each = tf.mul(tf.reshape(gradient, [-1, 1, 1, classes]), 1 / (height * width));
      let at = tf.tile(each, [1, height, width, 1]);
      for (const back of way.toReversed()) at = back(at);
      at.dispose();
      return gradients;
    },
  };
}

function followedByPool(all: readonly Block[], i: number): boolean {
  return all[i + 1] === 'pool';
}
