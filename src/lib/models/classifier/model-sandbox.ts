/** Processes that run a model over images, each warm before the first one. */
import { prepareOnnxRuntime, prepareTensorFlow } from '../../base/sandbox/native-environment.ts';
import { openSandbox, type Sandbox } from '../../base/sandbox/sandbox.ts';
import { invalidModel } from '../format/model-files.ts';
import { tooSlow } from '../images/failures.ts';
import { defaultMaxWorkMs, type ImageLimits } from '../images/limits.ts';
import type { EngineName } from './classifier.ts';

export interface ModelSandboxOptions<Setup extends { engine: EngineName; limits: ImageLimits }> {
  /** Path of the compiled module that does the work. */
  module: string;
  /** What its default export, an `OpenWork`, is given. */
  setup: Setup;
  processes: number;
  /** What one is called in messages, such as `a classifier process`. */
  called: string;
  /** What to do when one has died at work. */
  hint?: string;
  onNotice: (text: string) => void;
}

/** Resolves when every process has run a first inference; rejects, with nothing left running, when one cannot. */
export function openModelSandbox<Setup extends { engine: EngineName; limits: ImageLimits }, Task, Reply>(
  options: ModelSandboxOptions<Setup>,
): Promise<Sandbox<Task, Reply>> {
  const { engine, limits } = options.setup;
  if (engine === 'tfjs') prepareTensorFlow();
  if (engine === 'onnx') prepareOnnxRuntime();
  return openSandbox<Task, Reply>({
    ...options,
    eager: true,
    limitMs: limits.maxWorkMs ?? defaultMaxWorkMs,
    overrun: tooSlow,
    cannotOpen: (how) =>
      invalidModel(
        `the engine ${engine} does not get through a first image with this model: its process ${how}`,
        {
          hint: 'Its graph does not fit the runtime, or never ends: export it anew, or try another --engine.',
        },
      ),
  });
}
