/** What `model use` does: checks a model and makes it the active one, here and for the pipeline's consumers, or one belt's. */
import { openDatabase } from '../../compose.ts';
import { UsageError } from '../../lib/base/errors.ts';
import { openModelStore } from '../../lib/models/store/store.ts';
import { hasPipeline } from '../shared/pipeline-here.ts';
import type { Context } from '../shared/run.ts';
import { type SwitchFlags, switchModel } from './switch.ts';

export interface UseFlags extends SwitchFlags {
  /** For this belt alone. */
  belt?: string;
  /** The belt takes the pipeline's model again. */
  default?: boolean;
}

export default async function (
  context: Context,
  reference: string | undefined,
  { belt, default: ofPipeline = false, ...flags }: UseFlags,
): Promise<number> {
  if (ofPipeline && belt === undefined) {
    throw new UsageError(
      '--default is for a belt',
      'Say which: visionscale model use --belt <name> --default',
    );
  }
  if (ofPipeline !== (reference === undefined)) {
    throw new UsageError(
      ofPipeline ? 'give a model or --default, not both' : 'no model is given',
      'All models: visionscale model list',
    );
  }
  if (belt !== undefined && !hasPipeline(context)) {
    throw new UsageError(
      'there is no pipeline here, so there are no belts',
      'Make one first: visionscale init',
    );
  }
  const models = openModelStore(context.config.models);
  const entry = reference === undefined ? null : await models.find(reference);
  await using database = hasPipeline(context) ? await openDatabase(context) : null;
  return await switchModel(context, { models, entry, belt: belt ?? null, database }, flags);
}
