/** A classifier over worker processes: every core classifies, and what an image does to native code stays in its process. */
import type { Classification, Findings } from '../../base/classification.ts';
import { VisionscaleError } from '../../base/errors.ts';
import { compiledFile } from '../../base/package.ts';
import { usableCores } from '../../base/sandbox/parallelism.ts';
import { sandboxCpuMs } from '../../base/sandbox/process.ts';
import type { LoadedModel } from '../format/model.ts';
import { defaultLimits, type ImageLimits } from '../images/limits.ts';
import type { PreprocessMode } from '../images/prepare.ts';
import type { Classifier, Device, EngineName } from './classifier.ts';
import { chooseEngine, openModelSandbox } from './model-processes.ts';

export interface ClassifierOptions {
  model: LoadedModel;
  /** `auto`: the fastest that works here. */
  engine: EngineName | 'auto';
  /** Where it computes. Default: `cpu`; another is the engine `onnx`'s, or an error: nothing falls back. */
  device?: Device | undefined;
  /** Processes. Default: as many as there are cores that this one may use. */
  workers?: number | undefined;
  /** Other work of the machine goes first. Default: no. */
  background?: boolean | undefined;
  /** Asked before each process but the first, which starts with the classifier. Default: always. */
  mayGrow?: (() => boolean) | undefined;
  limits?: ImageLimits | undefined;
  /** Turn images upright by their EXIF orientation. Default: true. */
  autoOrient?: boolean | undefined;
  /** Default: `exact`. */
  preprocess?: PreprocessMode | undefined;
  /** Told, in one line, which engine `auto` took and what became of a worker that died. */
  onNotice?: ((text: string) => void) | undefined;
}

/**
 * Starts the workers; resolves when the first has run a first inference. Throws a VisionscaleError: engine_unavailable,
 * device_unavailable, model_invalid, labels_mismatch; a UsageError where engine and device do not go together.
 */
export async function openClassifier(options: ClassifierOptions): Promise<Classifier> {
  const { model, device = 'cpu', onNotice = () => undefined } = options;
  const processes = options.workers ?? usableCores();
  const wanted = { called: `model ${model.info.name}`, engine: options.engine, device };
  const { engine, opened: workers } = await chooseEngine(wanted, onNotice, (engine) => {
    checkEngine(model, engine);
    return openWorkers({
      setup: {
        model,
        engine,
        device,
        limits: options.limits ?? defaultLimits,
        autoOrient: options.autoOrient ?? true,
        preprocess: options.preprocess ?? 'exact',
        background: options.background ?? false,
      },
      processes,
      mayGrow: options.mayGrow,
      onNotice,
    });
  });
  const pending = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;

  async function drainAndClose(): Promise<void> {
    await Promise.allSettled(pending);
    await workers[Symbol.asyncDispose]();
  }

  return {
    engine,
    model: model.info,
    workers: processes,
    async classify(image: Uint8Array, signal?: AbortSignal): Promise<Classification> {
      if (closing !== undefined) {
        throw new VisionscaleError('the classifier is closed', {
          code: 'classifier_closed',
          retryable: true,
        });
      }
      const answer = workers.classify(image, signal);
      pending.add(answer);
      try {
        return { ...(await answer), model: model.info };
      } finally {
        pending.delete(answer);
      }
    },
    workedMs: sandboxCpuMs,
    [Symbol.asyncDispose]: () => (closing ??= drainAndClose()),
  };
}

/** A quantised model, for one, gives other answers in an engine that it was not made for. */
function checkEngine({ info, engines }: LoadedModel, engine: EngineName): void {
  if (engines === undefined || engines.includes(engine)) return;
  throw new VisionscaleError(`model ${info.name} ${info.version} is not for the engine ${engine}`, {
    code: 'engine_unavailable',
    hint: `Use --engine ${engines.join(' or ')}, or another model.`,
  });
}

/** The worker processes that classify images. */
interface Workers extends AsyncDisposable {
  classify(image: Uint8Array, signal?: AbortSignal): Promise<Findings>;
}

interface WorkersOptions {
  setup: WorkerSetup;
  processes: number;
  mayGrow: (() => boolean) | undefined;
  onNotice: (text: string) => void;
}

/** Resolves when the first process has run a first inference; rejects, with nothing left running, when it cannot. */
async function openWorkers(options: WorkersOptions): Promise<Workers> {
  const module = compiledFile('lib/models/classifier/worker');
  const sandbox = await openModelSandbox<WorkerSetup, Task, Reply>({
    ...options,
    module,
    called: 'a classifier process',
  });
  return {
    classify: (image, signal) => sandbox.run('classify', takeOver(image), signal),
    [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
  };
}

/**
 * Where the image owns its memory, that is taken from the caller, who could change it while it is sent; else a copy. So it is for
 * memory that native code lent: from Node 22 on, what node-rdkafka and sharp hand out cannot be transferred.
 */
function takeOver(image: Uint8Array): Uint8Array {
  const { buffer } = image;
  if (buffer instanceof ArrayBuffer && image.byteLength === buffer.byteLength) {
    try {
      return structuredClone(image, { transfer: [buffer] });
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'DataCloneError') throw error;
    }
  }
  return new Uint8Array(image);
}

// What the pool and its worker processes say to each other.

/** Given to every worker when it starts. */
export interface WorkerSetup {
  model: LoadedModel;
  engine: EngineName;
  device: Device;
  limits: ImageLimits;
  autoOrient: boolean;
  preprocess: PreprocessMode;
  background: boolean;
}

/** The encoded image goes beside it. */
export type Task = 'classify';

export type Reply = Findings;
