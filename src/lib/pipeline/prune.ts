/** The verb `prune`: deletes what is old and answered, in batches; never what a message may still ask for. */
import type { Pool } from 'pg';
import {
  countKept,
  countPrunable,
  deleteImages,
  deleteOutcomes,
  type Kept,
  lockImages,
  oldOutcomes,
  type Prunable,
  type PruneScope,
  timeBefore,
} from '../systems/database/tables/prune.ts';
import { withTransaction } from '../systems/database/transaction.ts';
import { isServedImage } from '../systems/message/request.ts';
import type { ObjectStore } from '../systems/objects/store.ts';
import { topicMissing } from '../systems/topic/limits.ts';
import type { Topic } from '../systems/topic/topic.ts';

interface PruneDeps {
  pool: Pool;
  topic: Topic;
  store: ObjectStore;
}

interface PruneOptions {
  scope: PruneScope;
  signal: AbortSignal;
  report: (deleted: { rows: number; bytes: number }) => void;
}

/** Images of a transaction, whose rows are locked while their objects are removed. */
const imagesAtATime = 100;
const outcomesAtATime = 1000;
/** How long the store may take to remove those of one transaction, ms. */
const removalMs = 60_000;

/** What may go and what as old stays, counted. Throws `topic_missing`: without the topic nobody knows which messages are left. */
export async function plannedPrune(
  { pool, topic }: PruneDeps,
  pipeline: string,
  ageMs: number,
): Promise<{ scope: PruneScope; prunable: Prunable; kept: Kept }> {
  const partitions = await topic.partitions();
  if (partitions === 0) throw topicMissing(topic.name);
  const bounds = await Promise.all(Array.from({ length: partitions }, (_, p) => topic.bounds(p)));
  const before = await timeBefore(pool, ageMs);
  const scope = { pipeline, topic: topic.name, before, firstOffsets: bounds.map(({ first }) => first) };
  const [prunable, kept] = await Promise.all([countPrunable(pool, scope), countKept(pool, scope)]);
  return { scope, prunable, kept };
}

/** Objects go before their rows: run again after a crash, it finds the rows and goes on. */
export async function prune(
  { pool, store }: PruneDeps,
  { scope, signal, report }: PruneOptions,
): Promise<Prunable> {
  const deleted = { images: 0, bytes: 0, results: 0, deadLetters: 0 };
  for (let after = ''; !signal.aborted;) {
    const images = await withTransaction(
      pool,
      async (client) => {
        const locked = await lockImages(client, scope, after, imagesAtATime);
        const keys = locked.map(({ key }) => key);
        await Promise.all(keys.map((key) => store.remove(key)));
        if (keys.length > 0) await deleteImages(client, scope, keys);
        return locked;
      },
      { idleMs: removalMs },
    );
    if (images.length === 0) break;
    after = images.at(-1)!.key;
    const bytes = images.reduce((sum, image) => sum + image.bytes, 0);
    deleted.images += images.length;
    deleted.bytes += bytes;
    report({ rows: images.length, bytes });
  }
  for (const table of ['prediction_results', 'dead_letters'] as const) {
    for (let after = 0; !signal.aborted;) {
      const outcomes = await oldOutcomes(pool, scope, table, after, outcomesAtATime);
      if (outcomes.length === 0) break;
      after = outcomes.at(-1)!.id;
      // What other tools have put into the store is theirs.
      const served = outcomes.filter(({ requestId, imageKey }) => isServedImage(requestId, imageKey));
      await Promise.all(served.map(({ imageKey }) => store.remove(imageKey!)));
      const rows = await deleteOutcomes(pool, scope.pipeline, table, outcomes);
      deleted[table === 'prediction_results' ? 'results' : 'deadLetters'] += rows;
      report({ rows, bytes: 0 });
    }
  }
  return deleted;
}
