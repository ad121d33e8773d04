/** The labels of the models that the pipeline runs: as the consumers choose them, without loading them. */
import type { Pool } from 'pg';
import { loadModel } from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { readModelsInUse } from '../../lib/models/store/pipeline-model.ts';
import type { Context } from './run.ts';

/** Of the pipeline's model and of those that its belts have, each once. Null where no model has been chosen. */
export async function modelLabels(context: Context, pool: Pool): Promise<readonly string[] | null> {
  const { config } = context;
  if (config.model !== undefined) return localLabels(context);
  const inUse = await readModelsInUse(pool, config.pipeline);
  const chosen = inUse.some(({ belt, manifest }) => belt === null && manifest.labels !== undefined);
  const pipelines = chosen ? [] : ((await localLabels(context)) ?? []);
  const all = [...new Set([...inUse.flatMap(({ manifest }) => manifest.labels ?? []), ...pipelines])];
  return all.length === 0 ? null : all;
}

/** Of the model that this host runs by itself. */
export async function localLabels({ config }: Context): Promise<readonly string[] | null> {
  try {
    return (await loadModel(config)).info.labels;
  } catch (error) {
    if (error instanceof VisionscaleError && error.code === 'no_model') return null;
    throw error;
  }
}
