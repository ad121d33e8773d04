/** What a model says of an image. */

export interface ModelInfo {
  name: string;
  version: string;
  /** `sha256:` and 64 hex digits of the weights file. */
  digest: string;
  /** One label a class, in the order of the model's outputs. */
  labels: readonly string[];
}

export interface Score {
  category: string;
  /** Percent, 0 to 100. */
  confidence: number;
}

/** What a worker process finds in an image. */
export interface Findings {
  /** The five best, best first (fewer where the model has fewer classes). */
  top: Score[];
  /** Milliseconds spent in each stage. */
  stages: { decode: number; preprocess: number; infer: number };
}

export interface Classification extends Findings {
  /** The model that made it: a classifier may change its model between two images. */
  model: ModelInfo;
}
