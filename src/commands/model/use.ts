/** What `model use` does: checks a model and makes it the active one, here and for the pipeline's consumers. */
import { entryLabel } from '../../lib/models/store/entry.ts';
import { openModelStore } from '../../lib/models/store/store.ts';
import { useModel } from '../../lib/models/store/use.ts';
import { activateInPipeline } from '../shared/activate-model.ts';
import type { Context } from '../shared/run.ts';

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
  const pipeline = await activateInPipeline(context, entry.path);
  context.print({ name, version, digest, active: true, pipeline }, () =>
    pipeline === null
      ? `${entryLabel(entry)} is the active model`
      : `${entryLabel(entry)} is the active model, here and for the consumers of pipeline ${pipeline}`,
  );
}
