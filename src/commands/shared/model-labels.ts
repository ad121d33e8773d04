/** What the models that the pipeline runs can answer: as the consumers choose them, without loading them. */
import type { Pool } from 'pg';
import { loadModel } from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { answersInUse, answersOf, type ModelAnswers } from '../../lib/models/store/model-answers.ts';
import { readModelsInUse } from '../../lib/models/store/pipeline-model.ts';
import type { Context } from './run.ts';

/** Of the pipeline's model and of those of its belts together. Null where no model has been chosen. */
export async function modelAnswers(context: Context, pool: Pool): Promise<ModelAnswers | null> {
  const { config } = context;
  if (config.model !== undefined) return localAnswers(context);
  const inUse = await readModelsInUse(pool, config.pipeline);
  const chosen = inUse.some(({ belt, manifest }) => belt === null && manifest.labels !== undefined);
  return answersInUse(inUse, chosen ? null : await localAnswers(context));
}

/** Of the model that this host runs by itself. */
export async function localAnswers({ config }: Context): Promise<ModelAnswers | null> {
  try {
    const { info, manifest } = await loadModel(config);
    return answersOf(info.labels, manifest);
  } catch (error) {
    if (error instanceof VisionscaleError && error.code === 'no_model') return null;
    throw error;
  }
}
