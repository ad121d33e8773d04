/** Once over the images: to train with them, or to judge by them. */
import { setImmediate as breathe } from 'node:timers/promises';
import { VisionscaleError } from '../../../base/errors.ts';
import type { Example } from '../../datasets/dataset.ts';
import type { TrainEvent } from '../events.ts';
import type { TrainingState } from './optimizer.ts';
import type { NetworkTraining } from './options.ts';
import { batches, type PixelSource } from './source.ts';
import { judgeStep, trainStep, type Tally, type Trainer } from './step.ts';

const judgedAtOnce = 32;

export interface EpochPlace {
  epoch: number;
  /** Steps behind it, of all epochs. */
  step: number;
  onEvent: (event: TrainEvent) => void;
}

/** Changes `state` in place, so that its tensors are the caller's to free whatever happens. */
export async function trainEpoch(
  { train, epochs, seed, signal }: NetworkTraining,
  trainer: Trainer,
  source: PixelSource,
  state: TrainingState,
  { epoch, step, onEvent }: EpochPlace,
) {
  const { recipe } = trainer;
  const size = Math.min(recipe.batchSize, train.length);
  const steps = Math.floor(train.length / size);
  const random = randomNumbers(seed * 1_000_003 + epoch);
  const order = shuffled(train.length, random);
  const sum: Tally = { images: 0, loss: 0, right: 0 };
  const began = performance.now();
  let rate = 0;
  onEvent({ kind: 'epoch-started', epoch, epochs, steps });
  for await (const batch of batches(source, train, order, { size, full: true, signal })) {
    rate = rateAt(step, steps * epochs, recipe.warmUpSteps);
    const next = trainStep(trainer, state, source, batch, random, { rate, step });
    Object.assign(state, next.state); // in place: whoever fails, the caller frees what is there
    step++;
    const loss = next.tally.loss / next.tally.images;
    if (!Number.isFinite(loss)) throw diverged(epoch);
    sum.images += next.tally.images;
    sum.loss += next.tally.loss;
    sum.right += next.tally.right;
    const imagesPerSecond = (sum.images * 1000) / (performance.now() - began);
    onEvent({
      kind: 'step',
      epoch,
      step: sum.images / size,
      steps,
      loss,
      images: sum.images,
      imagesPerSecond,
    });
    await breathe(); // signals, and decoders that have finished
    if (signal.aborted) break;
  }
  return { tally: sum, step, rate, interrupted: sum.images < steps * size };
}

/** Undefined when it was interrupted. */
export async function judgeAll(
  trainer: Trainer,
  source: PixelSource,
  held: readonly Example[],
  weights: Float32Array,
  signal: AbortSignal,
): Promise<Tally | undefined> {
  const vector = trainer.tf.tensor(weights, [weights.length]);
  const sum: Tally = { images: 0, loss: 0, right: 0 };
  const order = Uint32Array.from(held.keys());
  try {
    for await (const batch of batches(source, held, order, { size: judgedAtOnce, full: false, signal })) {
      const tally = judgeStep(trainer, vector, batch);
      sum.images += tally.images;
      sum.loss += tally.loss;
      sum.right += tally.right;
      await breathe();
    }
  } finally {
    vector.dispose();
  }
  return sum.images === held.length ? sum : undefined;
}

function diverged(epoch: number): VisionscaleError {
  return new VisionscaleError(`training diverged in epoch ${epoch}: its loss is NaN or infinite`, {
    code: 'training_diverged',
    hint: 'Try another --seed, or fewer classes; --resume repeats the epoch and ends the same way.',
  });
}

/** A share of the highest learning rate at `step` (from 0) of `steps`. */
function rateAt(step: number, steps: number, warmUpSteps: number): number {
  // A short training would else be over before it is warm.
  const warmUp = Math.min(warmUpSteps, Math.floor(steps / 10));
  if (step < warmUp) return (step + 1) / (warmUp + 1);
  return 0.5 * (1 + Math.cos((Math.PI * (step - warmUp)) / Math.max(1, steps - warmUp)));
}

/** An order of chance, the same for the same numbers. */
function shuffled(count: number, random: () => number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** From 0 to 1, 1 excluded; mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
