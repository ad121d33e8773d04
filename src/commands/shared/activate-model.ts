/** Makes a model of the store the one that the consumers of this pipeline run too, where there is a pipeline. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openDatabase } from '../../compose.ts';
import { loadModel } from '../../lib/models/format/model.ts';
import { activateForPipeline } from '../../lib/models/store/pipeline-model.ts';
import { openReadyStore } from './opening.ts';
import type { Context } from './run.ts';

/** `path` of the model directory. Returns the pipeline's name; null where there is none. */
export async function activateInPipeline(context: Context, path: string): Promise<string | null> {
  if (!hasPipeline(context)) return null;
  await using database = await openDatabase(context);
  await using store = await openReadyStore(context);
  const { pipeline } = context.config;
  await activateForPipeline({ pool: database.pool, store }, pipeline, await loadModel(path));
  return pipeline;
}

/** Whoever only classifies directories has no database, and needs none started for this. */
export function hasPipeline({ config }: Context): boolean {
  return config.database.kind === 'server' || existsSync(join(config.dataDir, 'postgres'));
}
