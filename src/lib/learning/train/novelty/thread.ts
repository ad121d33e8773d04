/** Learning to tell unknown objects takes seconds: in a thread of its own, so that the caller's event loop stays free. */
import { Piscina } from 'piscina';
import { compiledFile } from '../../../base/package.ts';
import type { NoNovelty, Novelty, NoveltyTask } from './learn.ts';

/** When `signal` aborts, there is no novelty. */
export async function learnNoveltyApart(
  task: NoveltyTask,
  signal: AbortSignal,
): Promise<Novelty | NoNovelty> {
  const interrupted = { reason: 'training was interrupted' };
  if (signal.aborted) return interrupted;
  const pool = new Piscina<NoveltyTask, Novelty | NoNovelty>({
    filename: compiledFile('lib/learning/train/novelty/worker'),
    maxThreads: 1,
    recordTiming: false,
  });
  try {
    return await pool.run(task, { signal });
  } catch (error) {
    if (signal.aborted) return interrupted;
    throw error;
  } finally {
    await pool.destroy();
  }
}
