/** What the feature extractor and its worker processes say to each other. */
import type { WorkerSetup } from '../../../models/classifier/protocol.ts';
import type { Preprocessing } from '../../../models/images/preprocess.ts';

/** Given to every worker when it starts. */
export interface FeatureSetup extends Omit<WorkerSetup, 'model' | 'preprocess'> {
  /** The ONNX file of the feature network. */
  weights: Uint8Array;
  preprocessing: Preprocessing;
}

/** The encoded image goes beside it. */
export interface FeatureTask {
  views: number;
}

/** `views` rows of features. */
export type FeatureReply = Float32Array<ArrayBuffer>;
