/** What `model use` does: checks a model and makes it the active one, here and for the pipeline's consumers. */
import { openModelStore } from '../../lib/models/store/store.ts';
import type { Context } from '../shared/run.ts';
import { type SwitchFlags, switchModel } from './switch.ts';

export default async function (context: Context, reference: string, flags: SwitchFlags): Promise<number> {
  const models = openModelStore(context.config.models);
  return switchModel(context, models, await models.find(reference), flags);
}
