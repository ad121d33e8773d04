/** An engine: a runtime that executes a model's weights on one thread. */
import type { EngineName } from '../classifier.ts';

export interface Engine {
  readonly name: EngineName;
  /**
   * Opens a session that takes RGB images of `side` × `side`. Throws a VisionscaleError: `engine_unavailable` when the
   * runtime is not installed or does not load here, `model_invalid` when it cannot execute these weights.
   */
  open(weights: Uint8Array, side: number): Promise<Session>;
}

export interface Session extends AsyncDisposable {
  /** Scores of `count` images: `input` holds them in NCHW order, the result as many rows of one score a class. */
  run(input: Float32Array, count: number): Promise<Float32Array>;
}
