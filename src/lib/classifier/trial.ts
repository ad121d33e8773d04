/** Tries a model in a process of its own: however that ends, this one lives and says why. */
import { type ChildProcess, spawn } from 'node:child_process';
import { totalmem } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { compiledFile } from '../compiled-file.ts';
import { VisionscaleError } from '../errors.ts';
import type { Device, EngineName } from './classifier.ts';
import { invalidModel } from './model-files.ts';
import { fromPlainError, type PlainError } from './protocol.ts';

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
  /** To load the runtime and the model, ms. */
  openMs: number;
  /** For one inference, ms. */
  runMs: number;
  /** Of the whole process. */
  memoryBytes: number;
}

/** What the model makes of one test image. */
export interface Answer {
  /** How many. */
  scores: number;
  /** All of them are numbers. */
  finite: boolean;
  min: number;
  max: number;
  sum: number;
  /** The input was no image: only whether the scores stay within bounds counts. */
  stress: boolean;
}

export interface Trial {
  engine: EngineName;
  answers: Answer[];
  /** Of the second inference; the first warms up. */
  milliseconds: number;
}

/** Given to the process as its argument; the weights follow on standard input. */
export interface TrialRequest extends Pick<TrialOptions, 'engines' | 'side' | 'inputs'> {
  device: Device;
  bytes: number;
  limits: TrialLimits;
}

export type TrialEvent =
  | { kind: 'opened'; engine: EngineName }
  | { kind: 'answered'; answer: Answer; milliseconds: number }
  | { kind: 'done' }
  | { kind: 'failed'; error: PlainError }
  | { kind: 'exceeded'; what: 'time' | 'memory' };

/** TensorRT compiles a network for minutes. */
const openMs = { cpu: 60_000, other: 900_000 };
const runMs = 20_000;
/** Beside several copies of the weights: activations of large images, and the runtime itself. */
const memoryBytes = 3 * 2 ** 30;

/**
 * Throws a VisionscaleError: `model_invalid` for whatever becomes of the process while it opens and runs the model,
 * `engine_unavailable`, `trial_failed` where it cannot even begin.
 */
export async function tryModel(options: TrialOptions): Promise<Trial> {
  const { weights, engines, side, inputs, device = 'cpu' } = options;
  const limits: TrialLimits = {
    openMs: device === 'cpu' ? openMs.cpu : openMs.other,
    runMs: device === 'cpu' ? runMs : openMs.other,
    memoryBytes: Math.min(memoryBytes + 6 * weights.length, 0.8 * totalmem()),
    ...options.limits,
  };
  const request: TrialRequest = { engines, side, inputs, device, bytes: weights.length, limits };
  const file = compiledFile(import.meta.url, './trial-process.js');
  const child = spawn(process.execPath, [file, JSON.stringify(request)], {
    stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
    windowsHide: true,
  });
  // Its own clock ends it; this is for one whose main thread is held up as well.
  const backstop = setTimeout(() => child.kill('SIGKILL'), limits.openMs + 10 * limits.runMs + 10_000);
  try {
    return await follow(child, options, limits);
  } finally {
    clearTimeout(backstop);
    child.kill('SIGKILL');
  }
}

async function follow(child: ChildProcess, options: TrialOptions, limits: TrialLimits): Promise<Trial> {
  const { weights, side } = options;
  let engine: EngineName | undefined;
  const answers: Answer[] = [];
  const times: number[] = [];
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (said = `${said}${text}`.slice(-2000)));
  child.stdin!.on('error', () => undefined); // it has ended, which is told below
  child.stdin!.write(weights.slice()); // streams take no shared memory
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  const doing = () => (engine === undefined ? 'opening the model' : 'the test inference');
  for await (const line of createInterface({ input: child.stdio[3] as Readable })) {
    const event = JSON.parse(line) as TrialEvent;
    switch (event.kind) {
      case 'opened':
        ({ engine } = event);
        break;
      case 'answered':
        answers.push(event.answer);
        times.push(event.milliseconds);
        break;
      case 'failed':
        throw fromPlainError(event.error);
      case 'exceeded':
        throw exceeded(doing(), event.what, limits, side);
      case 'done':
        return { engine: engine!, answers, milliseconds: times[1] ?? times[0]! };
    }
  }
  const how = await ended;
  const cause = new Error(said.trim() || how);
  if (engine === undefined && how.startsWith('exit code')) {
    throw new VisionscaleError(`the process that tries a model ended before it began (${how})`, {
      code: 'trial_failed',
      hint: said.trim().split('\n').at(-1) || 'Is there memory, and may this user start processes?',
      cause,
    });
  }
  throw invalidModel(`${doing()} failed (${how})`, { hint: hints[how] ?? sizeHint(side), cause });
}

function exceeded(doing: string, what: 'time' | 'memory', limits: TrialLimits, side: number) {
  const { openMs, runMs, memoryBytes } = limits;
  if (what === 'memory') {
    return invalidModel(`${doing} took more than ${(memoryBytes / 2 ** 30).toFixed(1)} GiB of memory`, {
      hint: `${sizeHint(side)} A model for so much memory does not fit beside what else runs here.`,
    });
  }
  const seconds = (doing === 'the test inference' ? runMs : openMs) / 1000;
  return invalidModel(`${doing} is too slow: it did not end within ${seconds} s`, {
    hint: 'Does its graph loop without end? A model that takes so long for an image is of no use on a belt.',
  });
}

function sizeHint(side: number): string {
  return `Does --size fit the network? Its images have ${side}×${side} pixels here (preprocessing.crop in model.json).`;
}

const hints: Partial<Record<string, string>> = {
  SIGKILL: 'The system ended it: was there memory enough?',
  SIGILL: 'The runtime wants a processor with other instructions: try --engine wasm.',
};
