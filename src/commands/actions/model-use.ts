/** What `model use` does: checks a model and makes it the active one, here and for the pipeline's consumers. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openDatabase, openStore } from '../../compose.ts';
import { loadModel } from '../../lib/classifier/model.ts';
import { entryLabel } from '../../lib/models/entry.ts';
import { activateForPipeline } from '../../lib/models/pipeline-model.ts';
import { openModelStore } from '../../lib/models/store.ts';
import { useModel } from '../../lib/models/use.ts';
import type { Context } from '../run.ts';

export default async function (
  context: Context,
  reference: string,
  options: { force?: boolean },
): Promise<void> {
  const { config } = context;
  const store = openModelStore(config.models);
  const entry = await store.find(reference);
  const { name, version, digest } = await useModel(store, entry, options.force === true);
  if (config.model !== undefined) {
    context.say('VISIONSCALE_MODEL is set and goes before the active model');
  }
  const pipeline = hasPipeline(context) ? config.pipeline : null;
  if (pipeline !== null) await activate(context, entry.path);
  context.print({ name, version, digest, active: true, pipeline }, () =>
    pipeline === null
      ? `${entryLabel(entry)} is the active model`
      : `${entryLabel(entry)} is the active model, here and for the consumers of pipeline ${pipeline}`,
  );
}

/** Whoever only classifies directories has no database, and needs none started for this. */
function hasPipeline({ config }: Context): boolean {
  return config.database.kind === 'server' || existsSync(join(config.dataDir, 'postgres'));
}

async function activate(context: Context, path: string): Promise<void> {
  await using database = await openDatabase(context);
  await using store = await openStore(context);
  if (store.kind === 'file') await store.create();
  await activateForPipeline({ pool: database.pool, store }, context.config.pipeline, await loadModel(path));
}
