/** Moves the weights down a gradient: Adam, with a limit on the gradient's length. */
import type { Recipe } from './options.ts';
import type { ParameterLayout } from './parameters.ts';
import type { Tensor, TensorFlow } from './tensorflow.ts';

/** The weights and what the optimizer remembers of earlier gradients, vectors of the same length. */
export interface NextWeights {
  vector: Tensor;
  slots: Tensor[];
}

export interface TrainingState extends NextWeights {
  /** Running averages of what normalisation takes away. */
  averages: Tensor;
}

export interface Optimizer {
  /** The next state; `rate`: share of the highest learning rate; `step` from 0. The caller tidies. */
  next(state: NextWeights, gradient: Tensor, rate: number, step: number): NextWeights;
  dispose(): void;
}

/** Vectors that Adam remembers: the mean of the gradients, and of their squares. */
export const slotCount = 2;

const beta1 = 0.9;
const beta2 = 0.999;
const epsilon = 1e-8;

export function openOptimizer(tf: TensorFlow, recipe: Recipe, layout: ParameterLayout): Optimizer {
  const { learningRate, clipNorm, weightDecay } = recipe;
  const kernels = tf.tensor(kernelMask(layout), [layout.length]);

  function clipped(gradient: Tensor): Tensor {
    const length = tf.sqrt(tf.sum(tf.square(gradient)));
    const [norm] = length.dataSync();
    return norm! > clipNorm ? tf.mul(gradient, clipNorm / norm!) : gradient;
  }

  /** Decoupled from the gradient; biases are left alone. */
  function decayed(vector: Tensor, rate: number): Tensor {
    return tf.sub(vector, tf.mul(tf.mul(vector, kernels), rate * weightDecay));
  }

  function adam({ vector, slots }: NextWeights, gradient: Tensor, rate: number, step: number): NextWeights {
    const mean = tf.add(tf.mul(slots[0]!, beta1), tf.mul(gradient, 1 - beta1));
    const square = tf.add(tf.mul(slots[1]!, beta2), tf.mul(tf.square(gradient), 1 - beta2));
    const unbiased = Math.sqrt(1 - beta2 ** (step + 1)) / (1 - beta1 ** (step + 1));
    const direction = tf.div(tf.mul(mean, unbiased), tf.add(tf.sqrt(square), tf.scalar(epsilon)));
    return { vector: tf.sub(decayed(vector, rate), tf.mul(direction, rate)), slots: [mean, square] };
  }

  return {
    next: (state, gradient, rate, step) => adam(state, clipped(gradient), rate * learningRate, step),
    dispose: () => kernels.dispose(),
  };
}

function kernelMask({ all, length }: ParameterLayout): Float32Array {
  const mask = new Float32Array(length);
  let at = 0;
  for (const { shape, size } of all) {
    if (shape.length === 4) mask.fill(1, at, at + size);
    at += size;
  }
  return mask;
}
