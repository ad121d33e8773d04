/** Trains all layers of SqueezeNet from random weights; keeps the best epoch's. */
import { join } from 'node:path';
import { VisionscaleError } from '../../../base/errors.ts';
import { makeWritableDirectory } from '../../../base/files/make-directory.ts';
import type { SqueezeNetWeights } from '../../../models/onnx/squeezenet.ts';
import type { EpochMetrics } from '../events.ts';
import { readCheckpoint, writeCheckpoint, type Checkpoint } from './checkpoint.ts';
import { randomNumbers, judgeAll, trainEpoch } from './epoch.ts';
import { averagesLength, folded } from './normalisation.ts';
import { openOperations } from './operations.ts';
import { openOptimizer, slotCount, type TrainingState } from './optimizer.ts';
import { checkOptions, fingerprintOf, type NetworkTraining, fromScratch } from './options.ts';
import { randomWeights, fromVector, parameterLayout, toVector } from './parameters.ts';
import { openHeldSource, openTrainingSource } from './source.ts';
import type { Tally, Trainer } from './step.ts';
import { loadForTraining } from './tensorflow.ts';

export type { NetworkTraining } from './options.ts';

export interface TrainedNetwork {
  weights: SqueezeNetWeights;
  history: EpochMetrics[];
  /** From 1: the epoch whose weights these are. */
  bestEpoch: number;
  stoppedEarly: boolean;
  /** The signal ended it before its last epoch. */
  interrupted: boolean;
}

const defaultCacheBytes = 8 * 2 ** 30;

/** The checkpoint's name in `workDir`. */
export const checkpointName = 'checkpoint.bin';

/**
 * The best epoch is the one with the highest top-1 on the held-out images, of equal ones that with the lowest loss. Throws a
 * VisionscaleError: engine_unavailable (no TensorFlow), checkpoint_invalid, dataset_changed, training_diverged, and
 * interrupted where no epoch had ended.
 */
export async function trainNetwork(options: NetworkTraining): Promise<TrainedNetwork> {
  const { labels, train, held, preprocessing, epochs, workDir, signal } = options;
  const onEvent = options.onEvent ?? (() => undefined);
  const recipe = { ...fromScratch, ...options.recipe };
  checkOptions(options);
  const tf = await loadForTraining();
  await makeWritableDirectory(workDir);

  const layout = parameterLayout(labels.length);
  const fingerprint = fingerprintOf(options, recipe);
  const path = join(workDir, checkpointName);
  let state = (options.resume ? await readCheckpoint(path, fingerprint) : undefined) ?? {
    ...begin(options),
    fingerprint,
  };
  if (state.epoch > 0) onEvent({ kind: 'resumed', epoch: state.epoch, epochs });

  const shared = {
    preprocessing,
    decode: options.decode ?? {},
    directory: workDir,
    maxBytes: options.maxCacheBytes ?? defaultCacheBytes,
    onFull: (reason: string) => onEvent({ kind: 'cache-full', reason }),
  };
  using trainSource = openTrainingSource({ ...shared, examples: train });
  using heldSource = openHeldSource({ ...shared, examples: held });
  const trainer: Trainer = {
    tf,
    operations: openOperations(tf),
    layout,
    classes: labels.length,
    preprocessing,
    recipe,
    optimizer: openOptimizer(tf, recipe, layout),
  };
  const tensors = (array: Float32Array) => tf.tensor(array, [array.length]);
  const live: TrainingState = {
    vector: tensors(state.vector),
    slots: state.slots.map(tensors),
    averages: tensors(state.averages),
  };
  try {
    while (state.epoch < epochs && !state.stoppedEarly && !signal.aborted) {
      const began = performance.now();
      const epoch = state.epoch + 1;
      const trained = await trainEpoch(options, trainer, trainSource, live, {
        epoch,
        step: state.step,
        onEvent,
      });
      if (trained.interrupted) break;
      const vector = live.vector.dataSync().slice();
      const averages = live.averages.dataSync().slice();
      const plain = folded(vector, averages, layout);
      onEvent({ kind: 'judging', epoch, images: held.length });
      const judged = await judgeAll(trainer, heldSource, held, plain, signal);
      if (judged === undefined) break;
      const metrics: EpochMetrics = {
        epoch,
        ...named('train', trained.tally),
        ...named('held', judged),
        learningRate: trained.rate * recipe.learningRate,
        seconds: (performance.now() - began) / 1000,
      };
      const best = isBest(metrics, state.history[state.bestEpoch - 1]);
      state = {
        fingerprint,
        epoch,
        step: trained.step,
        history: [...state.history, metrics],
        bestEpoch: best ? epoch : state.bestEpoch,
        stoppedEarly: !best && epoch - state.bestEpoch >= recipe.patience && epoch < epochs,
        vector,
        slots: live.slots.map((slot) => slot.dataSync().slice()),
        averages,
        best: best ? plain : state.best,
      };
      await writeCheckpoint(path, state);
      onEvent({ kind: 'epoch-ended', metrics, best });
      if (state.stoppedEarly) {
        const { bestEpoch } = state;
        onEvent({ kind: 'stopped-early', epoch, bestEpoch, patience: recipe.patience });
      }
    }
  } finally {
    tf.dispose([live.vector, ...live.slots, live.averages]);
    trainer.optimizer.dispose();
  }
  if (state.epoch === 0) {
    throw new VisionscaleError('training was interrupted before its first epoch had ended', {
      code: 'interrupted',
      hint: 'No model was made: training must complete at least one epoch.',
    });
  }
  return {
    weights: fromVector(state.best, layout),
    history: state.history,
    bestEpoch: state.bestEpoch,
    stoppedEarly: state.stoppedEarly,
    interrupted: state.epoch < epochs && !state.stoppedEarly,
  };
}

function named<K extends 'train' | 'held'>(set: K, { images, loss, right }: Tally) {
  return { [`${set}Loss`]: loss / images, [`${set}Top1`]: right / images } as Record<
    `${K}Loss` | `${K}Top1`,
    number
  >;
}

function isBest(metrics: EpochMetrics, best: EpochMetrics | undefined): boolean {
  if (best === undefined) return true;
  if (metrics.heldTop1 !== best.heldTop1) return metrics.heldTop1 > best.heldTop1;
  return metrics.heldLoss < best.heldLoss;
}

function begin({ labels, seed }: NetworkTraining): Omit<Checkpoint, 'fingerprint'> {
  const layout = parameterLayout(labels.length);
  const vector = toVector(randomWeights(labels.length, randomNumbers(seed)), layout);
  return {
    epoch: 0,
    step: 0,
    history: [],
    bestEpoch: 0,
    stoppedEarly: false,
    vector,
    slots: Array.from({ length: slotCount }, () => new Float32Array(layout.length)),
    averages: new Float32Array(averagesLength(layout)),
    best: vector,
  };
}
