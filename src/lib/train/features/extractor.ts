/** Threads that compute features on every core, with the engine and the preprocessing that inference has. */
import { fileURLToPath } from 'node:url';
import { existsSync } from 'node:fs';
import { Piscina } from 'piscina';
import { chooseEngine } from '../../classifier/choose-engine.ts';
import type { Device, EngineName } from '../../classifier/classifier.ts';
import { newLock } from '../../classifier/lock.ts';
import { usableCores } from '../../classifier/parallelism.ts';
import { fromPlainError } from '../../classifier/protocol.ts';
import { prepareOnnxRuntime, prepareTensorFlow } from '../../config/native-environment.ts';
import { errorMessage, VisionscaleError } from '../../errors.ts';
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
    openThreads({ weights, preprocessing, limits, autoOrient, engine, device, lock: newLock() }, threads),
  );
  return opened;
}

async function openThreads(setup: FeatureSetup, threads: number): Promise<Extractor> {
  if (setup.engine === 'tfjs') prepareTensorFlow();
  if (setup.engine === 'onnx') prepareOnnxRuntime();
  const pool = new Piscina<FeatureTask, FeatureReply>({
    filename: workerFile(),
    workerData: setup,
    minThreads: threads,
    maxThreads: threads,
    idleTimeout: Infinity,
    concurrentTasksPerWorker: 1,
    recordTiming: false,
  });

  async function run(task: FeatureTask, transferList: ArrayBuffer[] = []): Promise<FeatureReply> {
    const reply = await pool.run(task, { transferList }).catch((cause: unknown) => {
      throw new VisionscaleError(`a feature thread ended: ${errorMessage(cause)}`, {
        code: 'worker_crashed',
        retryable: true,
        hint: 'Run the same command again: what was computed is kept.',
        cause,
      });
    });
    if (reply.kind === 'failed') throw fromPlainError(reply.error);
    return reply;
  }

  // All are waited for also when one fails: a runtime that is ended while it opens a session aborts the process.
  const warmed = await Promise.allSettled(Array.from({ length: threads }, () => run({ kind: 'warm-up' })));
  const failed = warmed.find((warm) => warm.status === 'rejected');
  if (failed) {
    await pool.destroy();
    throw failed.reason;
  }
  let closing: Promise<void> | undefined;
  return {
    workers: threads,
    async features(image, views) {
      const reply = await run({ kind: 'image', image, views }, [image.buffer]);
      if (reply.kind !== 'features') throw new Error(`unexpected reply ${reply.kind}`);
      return reply.features;
    },
    [Symbol.asyncDispose]: () => (closing ??= pool.destroy()),
  };
}

/** Threads run compiled code: run from source (tests), it is the build beside it. */
function workerFile(): string {
  const source = import.meta.url.endsWith('.ts');
  const file = source ? '../../../../dist/lib/train/features/worker.js' : './worker.js';
  const path = fileURLToPath(new URL(file, import.meta.url));
  if (existsSync(path)) return path;
  throw new VisionscaleError(`${path} is missing`, {
    code: 'not_built',
    hint: 'Build the project: npm run build',
  });
}
