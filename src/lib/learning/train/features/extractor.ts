/** Processes that compute features on every core, with the engine and the preprocessing that inference has. */
import { compiledFile } from '../../../base/package.ts';
import { usableCores } from '../../../base/sandbox/parallelism.ts';
import type { Device, EngineName } from '../../../models/classifier/classifier.ts';
import { chooseEngine, openModelSandbox } from '../../../models/classifier/model-processes.ts';
import type { WorkerSetup } from '../../../models/classifier/pool.ts';
import type { ImageLimits } from '../../../models/images/limits.ts';
import type { Preprocessing } from '../../../models/images/preprocess.ts';
import type { FeatureNetwork } from './network.ts';

export interface ExtractorOptions {
  network: FeatureNetwork;
  preprocessing: Preprocessing;
  engine: EngineName | 'auto';
  device: Device;
  /** Processes; undefined: as many as there are cores. */
  workers?: number | undefined;
  limits: ImageLimits;
  autoOrient: boolean;
  onNotice: (text: string) => void;
}

export interface Extractor extends AsyncDisposable {
  readonly workers: number;
  /**
   * Rows of features, a view each. The image must stay as it is. Rejects with an ImageError where it is none, and with the signal's
   * reason when aborted.
   */
  features(
    image: Uint8Array<ArrayBuffer>,
    views: number,
    signal: AbortSignal,
  ): Promise<Float32Array<ArrayBuffer>>;
}

/** Resolves when every process has run once. Throws as `openClassifier` does. */
export async function openExtractor(options: ExtractorOptions): Promise<Extractor> {
  const { device, workers: processes = usableCores(), onNotice } = options;
  const { network, preprocessing, limits, autoOrient } = options; // nothing else can go to a process
  const { opened } = await chooseEngine(
    { called: 'parent model', engine: options.engine, device },
    onNotice,
    (engine) =>
      openModelSandbox<FeatureSetup, FeatureTask, FeatureReply>({
        module: compiledFile('lib/learning/train/features/worker'),
        setup: { network, preprocessing, limits, autoOrient, engine, device },
        processes,
        called: 'a feature process',
        hint: 'Run the same command again: what was computed is kept.',
        onNotice,
      }),
  );
  return {
    workers: processes,
    features: (image, views, signal) => opened.run({ views }, image, signal),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

// What the feature extractor and its worker processes say to each other.

/** Given to every worker when it starts. */
export interface FeatureSetup extends Omit<WorkerSetup, 'model' | 'preprocess' | 'background'> {
  network: FeatureNetwork;
  preprocessing: Preprocessing;
}

/** The encoded image goes beside it. */
export interface FeatureTask {
  views: number;
}

/** `views` rows of features. */
export type FeatureReply = Float32Array<ArrayBuffer>;
