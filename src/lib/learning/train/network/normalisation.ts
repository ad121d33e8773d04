/** Batch normalisation, which makes a random start trainable, and how it becomes part of the convolutions afterwards. */
import type { Statistics } from './differentiate.ts';
import { normalisationEpsilon } from './operations.ts';
import type { ParameterLayout } from './parameters.ts';
import type { Tensor, TensorFlow } from './tensorflow.ts';

/** The least weight of the newest batch in the running averages. */
const newest = 0.05;

/** The normalised layers, in the order of the vector: all but the classifier. */
function layersOf({ all }: ParameterLayout): { name: string; channels: number }[] {
  const biases = all.filter(({ shape }) => shape.length === 1).slice(0, -1);
  return biases.map(({ name, size }) => ({ name: name.slice(0, -'.bias'.length), channels: size }));
}

/** Length of the running averages: a mean and a variance a channel. */
export function averagesLength(layout: ParameterLayout): number {
  return 2 * layersOf(layout).reduce((sum, { channels }) => sum + channels, 0);
}

/** The running averages after another batch; `step` from 0. The caller tidies. */
export function nextAverages(
  tf: TensorFlow,
  averages: Tensor,
  statistics: Map<string, Statistics>,
  layout: ParameterLayout,
  step: number,
): Tensor {
  const layers = layersOf(layout);
  const means = layers.map(({ name }) => statistics.get(name)!.mean);
  const variances = layers.map(({ name }) => statistics.get(name)!.variance);
  const share = Math.max(newest, 1 / (step + 1));
  const now = tf.concat([...means, ...variances], 0);
  return tf.add(tf.mul(averages, 1 - share), tf.mul(now, share));
}

/** The weights of a network without normalisation that computes the same as this one with its averages. */
export function folded(vector: Float32Array, averages: Float32Array, layout: ParameterLayout): Float32Array {
  const result = vector.slice();
  const variances = averages.subarray(averages.length / 2);
  let at = 0;
  let channel = 0;
  for (const { shape, size } of layout.all) {
    if (at >= layout.head) break;
    const outputs = shape.at(-1)!;
    const scale = (i: number) => 1 / Math.sqrt(variances[channel + i]! + normalisationEpsilon);
    if (shape.length === 4) {
      const scales = Float32Array.from({ length: outputs }, (_, i) => scale(i));
      for (let i = 0; i < size; i++) result[at + i] = vector[at + i]! * scales[i % outputs]!;
    } else {
      for (let i = 0; i < size; i++) result[at + i] = vector[at + i]! - averages[channel + i]! * scale(i);
      channel += outputs;
    }
    at += size;
  }
  return result;
}
