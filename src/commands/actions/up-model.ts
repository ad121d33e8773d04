/** Sees to it that the consumers of `up` have a model: a chosen one, else the one that comes with visionscale. */
import type { Pool } from 'pg';
import { partsModelDirectory, readEntry } from '../../lib/models/store/entry.ts';
import { openModelStore } from '../../lib/models/store/store.ts';
import { readActiveDigest } from '../../lib/systems/database/tables/models.ts';
import type { Context } from '../run.ts';
import { withBundledModel } from './bundled-model.ts';

/** Chosen is what the settings name, what `model use` made the pipeline's, or the active one of this user's store. */
export async function withAnyModel(context: Context, pool: Pool): Promise<Context> {
  const { config, say } = context;
  if (config.model !== undefined) return context;
  if ((await readActiveDigest(pool, config.pipeline)) !== null) return context;
  if ((await openModelStore(config.models).active()) !== undefined) return context;
  const bundled = await readEntry(partsModelDirectory, { bundled: true });
  const knows = bundled?.manifest?.knows;
  say(
    `no model is chosen: taking ${bundled?.name ?? 'the one that comes with visionscale'}` +
      `${knows === undefined ? '' : `, which knows ${knows}`} (another: --model, or visionscale model use and up again)`,
  );
  return withBundledModel(context);
}
