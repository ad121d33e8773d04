/** What cross-validation asks of its worker threads: one fit, judged on images that it has not seen. */
import type { Head, ViewedFeatures } from './fit.ts';
import type { Fitness } from './objective.ts';

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
