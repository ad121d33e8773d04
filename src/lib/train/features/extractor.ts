/** Threads that compute features on every core, with the engine and the preprocessing that inference has. */
import { chooseEngine } from '../../classifier/choose-engine.ts';
import type { Device, EngineName } from '../../classifier/classifier.ts';
import { newLock } from '../../classifier/lock.ts';
import { usableCores } from '../../classifier/parallelism.ts';
import { openWarmPool } from '../../classifier/warm-pool.ts';
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
  /** Threads; undefined: as many as there are cores. */
  workers?: number | undefined;
  limits: ImageLimits;
  autoOrient: boolean;
  onNotice: (text: string) => void;
}

export interface Extractor extends AsyncDisposable {
  readonly workers: number;
  /** Rows of features, a view each. Takes over the image's memory. Rejects with an ImageError where it is none. */
  features(image: Uint8Array<ArrayBuffer>, views: number): Promise<Float32Array<ArrayBuffer>>;
}

/** Resolves when every thread has run once. Throws as `openClassifier` does. */
export async function openExtractor(options: ExtractorOptions): Promise<Extractor> {
  const { device, workers: threads = usableCores(), onNotice } = options;
  const { weights, preprocessing, limits, autoOrient } = options; // nothing else can move to a thread
  const { opened } = await chooseEngine({ engine: options.engine, device }, onNotice, (engine) =>
    openThreads(
      { weights, preprocessing, limits, autoOrient, engine, device, lock: newLock() },
      threads,
      onNotice,
    ),
  );
  return opened;
}

async function openThreads(
  setup: FeatureSetup,
  threads: number,
  onNotice: (text: string) => void,
): Promise<Extractor> {
  const pool = await openWarmPool<FeatureTask, FeatureReply>({
    filename: compiledFile(import.meta.url, './worker.js'),
    setup,
    threads,
    called: 'a feature thread',
    hint: 'Run the same command again: what was computed is kept.',
    onNotice,
  });
  return {
    workers: threads,
    async features(image, views) {
      const reply = await pool.run({ kind: 'image', image, views }, [image.buffer]);
      if (reply.kind !== 'features') throw new Error(`unexpected reply ${reply.kind}`);
      return reply.features;
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}
