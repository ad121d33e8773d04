/** Threads that fit heads beside each other, so that the caller's event loop stays free. */
import { Piscina } from 'piscina';
import { compiledFile } from '../../../base/package.ts';
import type { Head, ViewedFeatures } from './fit.ts';
import type { Fitness } from './objective.ts';

export interface Fitters extends AsyncDisposable {
  fit(task: FitTask): Promise<FitReply>;
}

/** When `signal` aborts, fits are ended with their threads, wherever they are, and reject. */
export function openFitters(threads: number, signal: AbortSignal): Fitters {
  const pool = new Piscina<FitTask, FitReply>({
    filename: compiledFile('lib/learning/train/head/worker'),
    maxThreads: threads,
    recordTiming: false,
  });
  let closing: Promise<void> | undefined;
  return {
    fit: (task) => pool.run(task, { signal }),
    [Symbol.asyncDispose]: () => (closing ??= pool.destroy()),
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
}

export interface FitReply {
  head: Head;
  /** On `held`; undefined without any. */
  fitness: Fitness | undefined;
}
