/** Loads what trains whole networks only when it is asked for: TensorFlow comes with it. */
import type { NetworkTraining, TrainedNetwork } from '../../lib/learning/train/network/network.ts';

export async function trainNetwork(options: NetworkTraining): Promise<TrainedNetwork> {
  const network = await import('../../lib/learning/train/network/network.ts');
  return network.trainNetwork(options);
}

/** Throws `engine_unavailable`, with the line that brings TensorFlow, where it is missing. */
export async function requireNetworkTraining(): Promise<void> {
  const { loadForTraining } = await import('../../lib/learning/train/network/tensorflow.ts');
  await loadForTraining();
}
