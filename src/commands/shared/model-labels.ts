/** What the model that the pipeline runs can answer: as the consumers choose it, without loading it. */
import type { Pool } from 'pg';
import { loadModel } from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import type { Manifest } from '../../lib/models/format/manifest.ts';
import { readPipelineModel } from '../../lib/models/store/pipeline-model.ts';
import type { Context } from './run.ts';

export interface ModelAnswers {
  labels: readonly string[];
  /** Whether it tells what is like none of them. */
  tellsUnknown: boolean;
}

/** Null where no model has been chosen. */
export async function modelAnswers(context: Context, pool: Pool): Promise<ModelAnswers | null> {
  const { config } = context;
  if (config.model === undefined) {
    const manifest = (await readPipelineModel(pool, config.pipeline))?.manifest;
    if (manifest?.labels) return { labels: manifest.labels, tellsUnknown: tellsUnknown(manifest) };
  }
  return localAnswers(context);
}

/** Of the model that this host runs by itself. */
export async function localAnswers({ config }: Context): Promise<ModelAnswers | null> {
  try {
    const { info, manifest } = await loadModel(config);
    return { labels: info.labels, tellsUnknown: tellsUnknown(manifest) };
  } catch (error) {
    if (error instanceof VisionscaleError && error.code === 'no_model') return null;
    throw error;
  }
}

function tellsUnknown(manifest: Manifest | undefined): boolean {
  return manifest?.expected?.unknown !== undefined;
}
