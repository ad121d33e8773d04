/** Keeps a consumer on the models that its pipeline's rows name. */
import type { Pool } from 'pg';
import { pause } from '../../base/flow/waiting.ts';
import { readChosenModels } from '../../systems/database/tables/belt-models.ts';
import type { ChosenForPipeline } from './models.ts';

/** How often the rows are read, in milliseconds. */
const pollMs = 1000;

/** Runs until the signal aborts. Never throws: whatever happens to the rows, images are classified. */
export async function followModels(
  pool: Pool,
  pipeline: string,
  models: ChosenForPipeline,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    // While the database is away nothing can be recorded either, and the partitions say so.
    const chosen = await readChosenModels(pool, pipeline).catch(() => null);
    if (chosen !== null) await models.follow(chosen, signal);
    await pause(pollMs, signal);
  }
}
