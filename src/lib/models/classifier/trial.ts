/** Tries a model in a process of its own: however that ends, this one lives and says why. */
import { totalmem } from 'node:os';
import { errorMessage, VisionscaleError } from '../../base/errors.ts';
import { compiledFile } from '../../base/package.ts';
import { prepareOnnxRuntime, prepareTensorFlow } from '../../base/sandbox/native-environment.ts';
import { openSandbox } from '../../base/sandbox/sandbox.ts';
import { invalidModel } from '../format/model-files.ts';
import type { TrialAnswer } from '../format/output-kind.ts';
import type { Device, EngineName } from './classifier.ts';

export interface TrialOptions {
  weights: Uint8Array;
  /** The first that loads here is tried. */
  engines: readonly EngineName[];
  device?: Device;
  /** Width and height of the network's input, in pixels. */
  side: number;
  inputs: 'two' | 'all';
  limits?: Partial<TrialLimits>;
}

export interface TrialLimits {
  /** To load the runtime and the model: milliseconds of a processor's time. */
  openMs: number;
  /** For one inference, likewise. */
  runMs: number;
  /** Of the whole process. */
  memoryBytes: number;
}

export interface Trial {
  engine: EngineName;
  answers: TrialAnswer[];
  /** Of the second inference; the first warms up. */
  milliseconds: number;
}

/** Given to the process when it opens. */
export type TrialSetup = Pick<TrialOptions, 'weights' | 'engines' | 'side' | 'inputs'> & { device: Device };

/** Null when all test images have been answered. */
export type TrialReply = { engine: EngineName; answer: TrialAnswer; milliseconds: number } | null;

/** TensorRT compiles a network for minutes. */
const openMs = { cpu: 60_000, other: 900_000 };
const runMs = 20_000;
/** Beside several copies of the weights: activations of large images, and the runtime itself. */
const memoryBytes = 3 * 2 ** 30;

/**
 * Throws a VisionscaleError: `model_invalid` for whatever becomes of the process while it opens and runs the model,
 * `engine_unavailable`, `device_unavailable`.
 */
export async function tryModel(options: TrialOptions): Promise<Trial> {
  const { weights, engines, side, inputs, device = 'cpu' } = options;
  const limits: TrialLimits = {
    openMs: device === 'cpu' ? openMs.cpu : openMs.other,
    runMs: device === 'cpu' ? runMs : openMs.other,
    memoryBytes: Math.min(memoryBytes + 6 * weights.length, 0.8 * totalmem()),
    ...options.limits,
  };
  prepareOnnxRuntime();
  if (engines.includes('tfjs')) prepareTensorFlow();
  await using sandbox = await openSandbox<'next', TrialReply>({
    module: compiledFile('lib/models/classifier/trial-work'),
    setup: { weights, engines, side, inputs, device } satisfies TrialSetup,
    processes: 1,
    eager: 1,
    openLimitMs: limits.openMs,
    limitMs: limits.runMs,
    memoryBytes: limits.memoryBytes,
    called: 'the test inference',
    overrun: (limitMs) =>
      invalidModel(`the test inference is too slow: it takes more than ${limitMs / 1000} s of work`, {
        hint: 'Does its graph loop forever? A model this slow is of no use on a belt.',
      }),
    cannotOpen: (how) => failed('opening the model', how, side),
    onNotice: () => undefined,
  });
  const replies: NonNullable<TrialReply>[] = [];
  const next = () =>
    sandbox.run('next').catch((error: unknown) => {
      if (!(error instanceof VisionscaleError) || error.code !== 'worker_crashed') throw error;
      throw failed('the test inference', errorMessage(error.cause), side);
    });
  for (let reply = await next(); reply !== null; reply = await next()) replies.push(reply);
  const [first, second] = replies as [NonNullable<TrialReply>, ...NonNullable<TrialReply>[]];
  const { engine } = first;
  return {
    engine,
    answers: replies.map(({ answer }) => answer),
    milliseconds: (second ?? first).milliseconds,
  };
}

function failed(doing: string, how: string, side: number): VisionscaleError {
  const signal = /SIG[A-Z]+/.exec(how)?.[0];
  return invalidModel(`${doing} failed (${signal ?? how})`, {
    hint: (signal !== undefined && hints[signal]) || sizeHint(side),
    cause: new Error(how),
  });
}

function sizeHint(side: number): string {
  return `Does --size fit the network? Its images have ${side}×${side} pixels here (preprocessing.crop in model.json).`;
}

const hints: Partial<Record<string, string>> = {
  SIGKILL: 'The system killed it: was it out of memory?',
  SIGILL: 'The runtime needs CPU instructions that this machine lacks: try --engine wasm.',
};
