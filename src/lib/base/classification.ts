/** What a model says of an image, and in what form. */

export interface ModelInfo {
  name: string;
  version: string;
  /** `sha256:` and 64 hex digits of the weights file. */
  digest: string;
  /** One label a class, in the order of the model's outputs. */
  labels: readonly string[];
}

/**
 * What a network answers with. `logits`: to be put through a softmax. `probabilities`: shares of 1. `sigmoid`: a confidence for
 * each class, independent of the others.
 */
export const outputKinds = ['logits', 'probabilities', 'sigmoid'] as const;

export type ModelOutput = (typeof outputKinds)[number];

export interface Score {
  category: string;
  /** Percent, 0 to 100. */
  confidence: number;
}

/** What a worker process finds in an image. */
export interface Findings {
  /** The five best, best first (fewer where the model has fewer classes). */
  top: Score[];
  /**
   * How unlike everything it was trained on: the distance to the nearest class, divided by the model's threshold. 1 or more:
   * unknown. Absent where the model does not tell.
   */
  novelty?: number;
  /** Milliseconds spent in each stage. */
  stages: { decode: number; preprocess: number; infer: number };
}

/** Whether an image is like none of the model's classes; never where the model does not tell. */
export function isUnknown(novelty: number | null | undefined): boolean {
  return (novelty ?? 0) >= 1;
}

export interface Classification extends Findings {
  /** The model that made it: a classifier may change its model between two images. */
  model: ModelInfo;
}
