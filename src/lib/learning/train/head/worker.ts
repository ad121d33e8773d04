/** A worker thread that fits heads. */
import { fitHead, judgeHead } from './fit.ts';
import type { FitReply, FitTask } from './fitters.ts';

export default function answer(task: FitTask): FitReply {
  const { set, held, stop, ...options } = task;
  const head = fitHead(set, { ...options, stopped: () => Atomics.load(stop, 0) === 1 });
  return { head, fitness: held.length > 0 ? judgeHead(head, set, held, task.views[0]!) : undefined };
}
