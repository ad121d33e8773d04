/** A classifier: encoded image bytes in, ranked categories out. Implemented by a pool of worker processes. */
import type { Classification, ModelInfo } from '../../base/classification.ts';

/** Fastest first, which is the order in which `auto` tries them. */
export const engineNames = ['onnx', 'tfjs', 'wasm'] as const;

export type EngineName = (typeof engineNames)[number];

/** Where the engine `onnx` computes: the names that ONNX Runtime gives its execution providers. */
export const devices = ['cpu', 'cuda', 'tensorrt', 'coreml', 'dml', 'webgpu'] as const;

export type Device = (typeof devices)[number];

export interface Classifier extends AsyncDisposable {
  readonly engine: EngineName;
  readonly model: ModelInfo;
  /** How many images are worked on at once; more calls than that wait their turn. */
  readonly workers: number;
  /**
   * Classifies one encoded image (jpeg, png, webp, gif, tiff, bmp). Rejects with an ImageError when the bytes are not
   * an image it can read or exceed the limits (`too_slow`: its process was ended for it); with a retryable VisionscaleError
   * (`worker_crashed`) when its process dies; with the signal's reason when that aborts: nobody waits for it then.
   * Takes over `image`'s memory when it owns its buffer: fetch the image again before a retry.
   */
  classify(image: Uint8Array, signal?: AbortSignal): Promise<Classification>;
  /** Processor time that classifying has taken so far, in milliseconds, as far as that can be told. */
  workedMs?(): number;
}
