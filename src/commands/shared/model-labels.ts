/** What the models that the pipeline runs can answer: as the consumers choose them, without loading them. */
import type { Pool } from 'pg';
import { loadModel } from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { bundledModels } from '../../lib/models/store/entry.ts';
import { answersInUse, answersOf, type ModelAnswers } from '../../lib/models/store/model-answers.ts';
import { readModelsInUse } from '../../lib/models/store/pipeline-model.ts';
import { readConsumers } from '../../lib/systems/database/tables/consumers.ts';
import type { Context } from './run.ts';

/** Of the pipeline's model and of those of its belts together. Null where no model has been chosen. */
export async function modelAnswers(context: Context, pool: Pool): Promise<ModelAnswers | null> {
  const { config } = context;
  if (config.model !== undefined) return localAnswers(context);
  const inUse = await readModelsInUse(pool, config.pipeline);
  const chosen = inUse.some(({ belt, manifest }) => belt === null && manifest.labels !== undefined);
  const local = chosen ? null : ((await localAnswers(context)) ?? (await bundledAnswers(context, pool)));
  return answersInUse(inUse, local);
}

/** Of the model that comes with visionscale, where consumers run that: those of `up` do unless told otherwise. */
async function bundledAnswers({ config }: Context, pool: Pool): Promise<ModelAnswers | null> {
  const consumers = await readConsumers(pool, config.pipeline, config.topic.name);
  const run = new Set(
    consumers.flatMap(({ live, modelDigest }) => (live && modelDigest !== null ? [modelDigest] : [])),
  );
  // Its weights are read only where its labels are wanted.
  const entry = (await bundledModels()).find(({ manifest }) => run.has(manifest?.digest ?? ''));
  if (entry === undefined) return null;
  const { info, manifest } = await loadModel({ ...config, model: entry.path });
  return answersOf(info.labels, manifest);
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
