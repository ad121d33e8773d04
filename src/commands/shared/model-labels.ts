/** The labels of the model that the pipeline runs: as the consumers choose it, without loading it. */
import type { Pool } from 'pg';
import { loadModel } from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { readPipelineModel } from '../../lib/models/store/pipeline-model.ts';
import type { Context } from './run.ts';

/** Null where no model has been chosen. */
export async function modelLabels(context: Context, pool: Pool): Promise<readonly string[] | null> {
  const { config } = context;
  if (config.model === undefined) {
    const labels = (await readPipelineModel(pool, config.pipeline))?.manifest.labels;
    if (labels) return labels;
  }
  return localLabels(context);
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
