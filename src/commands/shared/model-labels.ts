/** What the models that the pipeline runs can answer: as the consumers choose them, without loading them. */
import type { Pool } from 'pg';
import { loadModel } from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import type { Manifest } from '../../lib/models/format/manifest.ts';
import { readModelsInUse } from '../../lib/models/store/pipeline-model.ts';
import type { Context } from './run.ts';

export interface ModelAnswers {
  labels: readonly string[];
  /** Whether one of them tells what is like none of its labels. */
  tellsUnknown: boolean;
}

/** Of the pipeline's model and of those of its belts together. Null where no model has been chosen. */
export async function modelAnswers(context: Context, pool: Pool): Promise<ModelAnswers | null> {
  const { config } = context;
  if (config.model !== undefined) return localAnswers(context);
  const inUse = await readModelsInUse(pool, config.pipeline);
  const answers = inUse.map(({ manifest }) => answersOf(manifest.labels ?? [], manifest));
  const chosen = inUse.some(({ belt, manifest }) => belt === null && manifest.labels !== undefined);
  const local = chosen ? null : await localAnswers(context);
  if (local !== null) answers.push(local);
  const labels = [...new Set(answers.flatMap((one) => one.labels))];
  return labels.length === 0 ? null : { labels, tellsUnknown: answers.some((one) => one.tellsUnknown) };
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

function answersOf(labels: readonly string[], manifest: Manifest | undefined): ModelAnswers {
  return { labels, tellsUnknown: manifest?.expected?.unknown !== undefined };
}
