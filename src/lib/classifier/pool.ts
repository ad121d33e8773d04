/** A classifier over worker threads: the event loop of the caller stays free, every core classifies. */
import { VisionscaleError } from '../errors.ts';
import { defaultLimits, type ImageLimits } from '../images/limits.ts';
import type { Classification, Classifier, EngineName } from './classifier.ts';
import { chooseEngine } from './choose-engine.ts';
import type { LoadedModel } from './model.ts';
import { usableCores } from './parallelism.ts';
import { openWorkers } from './workers.ts';

export interface ClassifierOptions {
  model: LoadedModel;
  /** `auto`: the fastest that works here. */
  engine: EngineName | 'auto';
  /** Threads. Default: as many as there are cores that this process may use. */
  workers?: number | undefined;
  limits?: ImageLimits | undefined;
  /** Turn images upright by their EXIF orientation. Default: true. */
  autoOrient?: boolean | undefined;
  /** Told, in one line, which engine `auto` took and what became of a worker that died. */
  onNotice?: ((text: string) => void) | undefined;
}

/**
 * Starts the workers; resolves when every one has run a first inference. Throws a VisionscaleError: engine_unavailable,
 * model_invalid, labels_mismatch.
 */
export async function openClassifier(options: ClassifierOptions): Promise<Classifier> {
  const { model, onNotice = () => undefined } = options;
  const threads = options.workers ?? usableCores();
  const { engine, opened: workers } = await chooseEngine(options.engine, onNotice, (engine) =>
    openWorkers({
      setup: {
        model,
        engine,
        limits: options.limits ?? defaultLimits,
        autoOrient: options.autoOrient ?? true,
      },
      threads,
      onNotice,
    }),
  );
  const pending = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;

  async function drainAndClose(): Promise<void> {
    await Promise.allSettled(pending);
    await workers[Symbol.asyncDispose]();
  }

  return {
    engine,
    model: model.info,
    workers: threads,
    async classify(image: Uint8Array): Promise<Classification> {
      if (closing !== undefined) {
        throw new VisionscaleError('the classifier is closed', {
          code: 'classifier_closed',
          retryable: true,
        });
      }
      const answer = workers.classify(image);
      pending.add(answer);
      try {
        return { ...(await answer), model: model.info };
      } finally {
        pending.delete(answer);
      }
    },
    [Symbol.asyncDispose]: () => (closing ??= drainAndClose()),
  };
}
