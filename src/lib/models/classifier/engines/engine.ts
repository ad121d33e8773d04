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
  /** What the network makes of `count` images, which `input` holds in NCHW order. */
  run(input: Float32Array, count: number): Promise<Answers>;
}

export interface Answers {
  /** A row an image, of one score a class. */
  scores: Float32Array;
  /** One value an image, from models that tell unknown objects: 1 or more is unknown. */
  novelty?: Float32Array;
}
