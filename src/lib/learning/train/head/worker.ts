/** A worker thread that fits heads. */
import { fitHead, judgeHead } from './fit.ts';
import type { FitReply, FitTask } from './fitters.ts';

export default function answer(task: FitTask): FitReply {
  const { set, held, ...options } = task;
  const head = fitHead(set, options);
  return { head, fitness: held.length > 0 ? judgeHead(head, set, held, task.views[0]!) : undefined };
}
