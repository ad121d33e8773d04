/** Threads that run a model, each warm before the first task: fed one task at a time, replaced when one dies. */
import { Piscina } from 'piscina';
import { prepareOnnxRuntime, prepareTensorFlow } from '../config/native-environment.ts';
import { errorMessage, VisionscaleError } from '../errors.ts';
import type { EngineName } from './classifier.ts';
import { fromPlainError, type PlainError } from './protocol.ts';

interface WarmUp {
  kind: 'warm-up';
}

interface Failed {
  kind: 'failed';
  error: PlainError;
}

export interface WarmPoolOptions {
  /** Of the compiled worker. Its tasks and replies have a `kind`; it answers `warm-up`, and an expected error with `failed`. */
  filename: string;
  /** Handed to every thread. */
  setup: { engine: EngineName };
  threads: number;
  /** What one is called in messages, such as `a classifier thread`. */
  called: string;
  /** What to do when one has died at work. */
  hint?: string;
  onNotice: (text: string) => void;
}

export interface WarmPool<Task, Reply> extends AsyncDisposable {
  /** Throws what the worker says has failed, and `worker_crashed` (retryable) where its thread has ended. */
  run(task: Task, transferList?: ArrayBuffer[]): Promise<Exclude<Reply, Failed>>;
}

/** Resolves when every thread has run a first inference; rejects, with nothing left running, when one cannot. */
export async function openWarmPool<Task extends { kind: string }, Reply extends { kind: string }>(
  options: WarmPoolOptions,
): Promise<WarmPool<Task | WarmUp, Reply>> {
  const { filename, setup, threads, called, hint, onNotice } = options;
  if (setup.engine === 'tfjs') prepareTensorFlow();
  if (setup.engine === 'onnx') prepareOnnxRuntime();
  const pool = new Piscina<Task | WarmUp, Reply | Failed>({
    filename,
    workerData: setup,
    minThreads: threads,
    maxThreads: threads,
    idleTimeout: Infinity,
    // Two at once, one decoding while the other infers, is no faster with a thread a core (measured: 131 to 130 images/s).
    concurrentTasksPerWorker: 1,
    recordTiming: false,
  });
  // A thread that dies while idle; one that dies at work rejects its tasks instead.
  pool.on('error', (error: unknown) => onNotice(`${called} ended and is replaced: ${errorMessage(error)}`));

  async function run(task: Task | WarmUp, transferList: ArrayBuffer[] = []) {
    const reply = await pool.run(task, { transferList }).catch((cause: unknown) => {
      throw new VisionscaleError(`${called} ended: ${errorMessage(cause)}`, {
        code: 'worker_crashed',
        retryable: true,
        ...(hint !== undefined && { hint }),
        cause,
      });
    });
    if (reply.kind === 'failed') throw fromPlainError((reply as Failed).error);
    return reply as Exclude<Reply, Failed>;
  }

  try {
    // The pool gives a task to an idle thread while there is one: as many tasks as threads warm each of them.
    // All of them are waited for also when one fails: a runtime that is ended while it opens a session aborts the process.
    const warmed = await Promise.allSettled(Array.from({ length: threads }, () => run({ kind: 'warm-up' })));
    const failed = warmed.find((warm) => warm.status === 'rejected');
    if (failed) throw failed.reason;
  } catch (error) {
    await pool.destroy();
    throw error;
  }
  let closing: Promise<void> | undefined;
  return { run, [Symbol.asyncDispose]: () => (closing ??= pool.destroy()) };
}
