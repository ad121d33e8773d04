/** Which engine to use, the one asked for or the fastest that opens, and the processes that run a model with it. */
import { UsageError, VisionscaleError } from '../../base/errors.ts';
import { prepareOnnxRuntime, prepareTensorFlow } from '../../base/sandbox/native-environment.ts';
import { openSandbox, type Sandbox } from '../../base/sandbox/sandbox.ts';
import { invalidModel } from '../format/model-files.ts';
import { tooSlow } from '../images/failures.ts';
import { defaultMaxWorkMs, type ImageLimits } from '../images/limits.ts';
import { type Device, type EngineName, engineNames } from './classifier.ts';

export interface Wanted {
  /** What is opened, for people. */
  called: string;
  engine: EngineName | 'auto';
  /** Any but `cpu` is the engine `onnx`'s alone. */
  device: Device;
}

/**
 * Opens the engine asked for; for `auto` the first, in order of speed, that can be had. `onNotice` is told what `auto` took,
 * and why. Throws what the fastest engine threw where there is none, a UsageError where engine and device do not go together.
 */
export async function chooseEngine<T>(
  { called, engine: wanted, device }: Wanted,
  onNotice: (text: string) => void,
  open: (engine: EngineName) => Promise<T>,
): Promise<{ engine: EngineName; opened: T }> {
  if (wanted !== 'auto' && wanted !== 'onnx' && device !== 'cpu') {
    throw new UsageError(`--device ${device} is for --engine onnx: ${wanted} computes on the CPU`);
  }
  if (wanted !== 'auto') return { engine: wanted, opened: await open(wanted) };
  let fastest: VisionscaleError | undefined;
  for (const engine of device === 'cpu' ? engineNames : (['onnx'] as const)) {
    try {
      const opened = await open(engine);
      onNotice(
        fastest === undefined
          ? `${called} (${engine}) ready`
          : `${called} (${engine}) ready: ${fastest.message}. ${fastest.hint}`,
      );
      return { engine, opened };
    } catch (error) {
      if (!(error instanceof VisionscaleError) || !mayDoWithout(engine, error)) throw error;
      fastest ??= error; // the one worth installing
    }
  }
  throw fastest ?? new Error('there are no engines');
}

/** Other errors are the model's fault and would be the same with the next engine; but tfjs executes one network only. */
function mayDoWithout(engine: EngineName, { code }: VisionscaleError): boolean {
  return code === 'engine_unavailable' || (engine === 'tfjs' && code === 'model_invalid');
}

// Processes that run a model over images, each warm before the first one.

interface ModelSandboxOptions<Setup extends { engine: EngineName; limits: ImageLimits }> {
  /** Path of the compiled module that does the work. */
  module: string;
  /** What its default export, an `OpenWork`, is given. */
  setup: Setup;
  processes: number;
  /** Asked before each process but the first. */
  mayGrow?: (() => boolean) | undefined;
  /** What one is called in messages, such as `a classifier process`. */
  called: string;
  /** What to do when one has died at work. */
  hint?: string;
  onNotice: (text: string) => void;
}

/** Resolves when the first process has run a first inference; rejects, with nothing left running, when it cannot. */
export function openModelSandbox<Setup extends { engine: EngineName; limits: ImageLimits }, Task, Reply>(
  options: ModelSandboxOptions<Setup>,
): Promise<Sandbox<Task, Reply>> {
  const { engine, limits } = options.setup;
  if (engine === 'tfjs') prepareTensorFlow();
  if (engine === 'onnx') prepareOnnxRuntime();
  return openSandbox<Task, Reply>({
    ...options,
    eager: 1, // the others as images come: an idle consumer needs one
    limitMs: limits.maxWorkMs ?? defaultMaxWorkMs,
    overrun: tooSlow,
    cannotOpen: (how) =>
      invalidModel(
        `the engine ${engine} cannot classify a first image with this model: its process ${how}`,
        {
          hint: 'Its graph does not suit the runtime, or never ends: export it again, or try another --engine.',
        },
      ),
  });
}
