/** What the feature extractor and its worker threads say to each other. */
import type { PlainError, WorkerSetup } from '../../classifier/protocol.ts';
import type { Preprocessing } from '../../images/preprocess.ts';

/** Given to every worker when it starts. */
export interface FeatureSetup extends Omit<WorkerSetup, 'model' | 'preprocess'> {
  /** The ONNX file of the feature network, in shared memory. */
  weights: Uint8Array;
  preprocessing: Preprocessing;
}

export type FeatureTask = { kind: 'warm-up' } | { kind: 'image'; image: Uint8Array; views: number };

export type FeatureReply =
  | { kind: 'ready' }
  /** `views` rows of features. */
  | { kind: 'features'; features: Float32Array<ArrayBuffer> }
  | { kind: 'failed'; error: PlainError };
