/** What `model use` does: checks a model and makes it the active one, here and for the pipeline's consumers. */
import { openDatabase } from '../../compose.ts';
import { openModelStore } from '../../lib/models/store/store.ts';
import { hasPipeline } from '../shared/pipeline-here.ts';
import type { Context } from '../shared/run.ts';
import { type SwitchFlags, switchModel } from './switch.ts';

export default async function (context: Context, reference: string, flags: SwitchFlags): Promise<number> {
  const models = openModelStore(context.config.models);
  const entry = await models.find(reference);
  await using database = hasPipeline(context) ? await openDatabase(context) : null;
  return await switchModel(context, { models, entry, database }, flags);
}
