/** An engine: a runtime that executes a model's weights on one thread of a process. */
import type { Device, EngineName } from '../classifier.ts';

export interface Engine {
  readonly name: EngineName;
  /**
   * Opens a session. Throws a VisionscaleError: `engine_unavailable` when the runtime is not installed or does not load
   * here, `device_unavailable` when it cannot compute on the device, `model_invalid` when it cannot execute these weights.
   */
  open(weights: Uint8Array, options: SessionOptions): Promise<EngineSession>;
}

export interface SessionOptions {
  /** Width and height of the RGB images, in pixels. */
  side: number;
  /** Default `cpu`; another for the engine `onnx` only. */
  device?: Device;
}

export interface EngineSession extends AsyncDisposable {
  /** Scores of `count` images: `input` holds them in NCHW order, the result as many rows of one score a class. */
  run(input: Float32Array, count: number): Promise<Float32Array>;
}
