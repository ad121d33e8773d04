/** Threads that fit heads beside each other, so that the caller's event loop stays free. */
import { Piscina } from 'piscina';
import { compiledFile } from '../../../base/package.ts';
import type { Head, ViewedFeatures } from './fit.ts';
import type { Fitness } from './objective.ts';

export interface Fitters extends AsyncDisposable {
  fit(task: Omit<FitTask, 'stop'>): Promise<FitReply>;
}

/** When `signal` aborts, fits under way return what they have. */
export function openFitters(threads: number, signal: AbortSignal): Fitters {
  const pool = new Piscina<FitTask, FitReply>({
    filename: compiledFile('lib/learning/train/head/worker'),
    maxThreads: threads,
    recordTiming: false,
  });
  const stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const onAbort = () => void Atomics.store(stop, 0, 1);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  let closing: Promise<void> | undefined;
  return {
    fit: (task) => pool.run({ ...task, stop }),
    [Symbol.asyncDispose]: () => {
      signal.removeEventListener('abort', onAbort);
      return (closing ??= pool.destroy());
    },
  };
}

/** What cross-validation asks of its worker threads: one fit, judged on images that it has not seen. */
export interface FitTask {
  /** Its data lie in shared memory. */
  set: ViewedFeatures;
  /** Images to learn from. */
  images: Int32Array;
  /** Images to judge on; none for the last fit. */
  held: Int32Array;
  /** As `fitHead` takes them. */
  views: readonly number[];
  penalty: number;
  start: Head | undefined;
  /** How exactly to fit: see `minimize`. */
  leastGain: number;
  maxIterations: number;
  /** Set to 1 in shared memory: return what there is. */
  stop: Int32Array;
}

export interface FitReply {
  head: Head;
  /** On `held`; undefined without any. */
  fitness: Fitness | undefined;
}
