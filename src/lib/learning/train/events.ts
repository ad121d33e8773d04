/** What training tells while it goes on: a closed union, rendered elsewhere. */

/** Shares of 1; losses are mean cross-entropies in nats, the training one with label smoothing and augmentation. */
export interface EpochMetrics {
  /** From 1. */
  epoch: number;
  trainLoss: number;
  trainTop1: number;
  heldLoss: number;
  heldTop1: number;
  /** At the epoch's end. */
  learningRate: number;
  /** Of training and judging. */
  seconds: number;
}

export type TrainEvent =
  /** A checkpoint was found; `epoch` is the last one that it has behind it. */
  | { kind: 'resumed'; epoch: number; epochs: number }
  | { kind: 'epoch-started'; epoch: number; epochs: number; steps: number }
  /** After every step; `loss` is that of its batch. */
  | {
      kind: 'step';
      epoch: number;
      step: number;
      steps: number;
      loss: number;
      images: number;
      imagesPerSecond: number;
    }
  /** The held-out images are being judged. */
  | { kind: 'judging'; epoch: number; images: number }
  | { kind: 'epoch-ended'; metrics: EpochMetrics; best: boolean }
  /** No improvement for `patience` epochs. */
  | { kind: 'stopped-early'; epoch: number; bestEpoch: number; patience: number }
  /** Decoded pixels no longer fit their file, or the disk: the rest is decoded anew in every epoch. */
  | { kind: 'cache-full'; reason: string };
