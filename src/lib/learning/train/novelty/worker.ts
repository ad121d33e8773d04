/** A worker thread that learns to tell unknown objects. */
import { learnNovelty, type NoNovelty, type Novelty, type NoveltyTask } from './learn.ts';

export default function answer(task: NoveltyTask): Novelty | NoNovelty {
  return learnNovelty(task);
}
