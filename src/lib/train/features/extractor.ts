/** Processes that compute features on every core, with the engine and the preprocessing that inference has. */
import { chooseEngine } from '../../classifier/choose-engine.ts';
import type { Device, EngineName } from '../../classifier/classifier.ts';
import { usableCores } from '../../classifier/parallelism.ts';
import { openModelSandbox } from '../../classifier/model-sandbox.ts';
import { compiledFile } from '../../compiled-file.ts';
import type { ImageLimits } from '../../images/limits.ts';
import type { Preprocessing } from '../../images/preprocess.ts';
import type { FeatureReply, FeatureSetup, FeatureTask } from './protocol.ts';

export interface ExtractorOptions {
  /** Of `featureNetwork`. */
  weights: Uint8Array;
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
  /** Rows of features, a view each. The image must stay as it is. Rejects with an ImageError where it is none. */
  features(image: Uint8Array<ArrayBuffer>, views: number): Promise<Float32Array<ArrayBuffer>>;
}

/** Resolves when every process has run once. Throws as `openClassifier` does. */
export async function openExtractor(options: ExtractorOptions): Promise<Extractor> {
  const { device, workers: processes = usableCores(), onNotice } = options;
  const { weights, preprocessing, limits, autoOrient } = options; // nothing else can go to a process
  const { opened } = await chooseEngine({ engine: options.engine, device }, onNotice, (engine) =>
    openModelSandbox<FeatureSetup, FeatureTask, FeatureReply>({
      module: compiledFile(import.meta.url, './worker.js'),
      setup: { weights, preprocessing, limits, autoOrient, engine, device },
      processes,
      called: 'a feature process',
      hint: 'Run the same command again: what was computed is kept.',
      onNotice,
    }),
  );
  return {
    workers: processes,
    features: (image, views) => opened.run({ views }, image),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}
