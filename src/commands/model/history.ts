/** What `model history` and `model rollback` do: they tell who switched what, when and from where, and go back one switch. */
import type { Pool } from 'pg';
import { openDatabase } from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { table } from '../../lib/base/report/table.ts';
import type { ModelEntry } from '../../lib/models/store/entry.ts';
import { formerDigest, type ModelSwitch, modelSwitches } from '../../lib/models/store/model-switch.ts';
import { loadByDigest } from '../../lib/models/store/pipeline-model.ts';
import { type ModelStore, openModelStore } from '../../lib/models/store/store.ts';
import { openReadyStore } from '../shared/opening.ts';
import { hasPipeline } from '../shared/pipeline-here.ts';
import type { Context } from '../shared/run.ts';
import { type SwitchFlags, switchModel } from './switch.ts';

export async function history(
  context: Context,
  { limit, belt }: { limit: number; belt?: string },
): Promise<void> {
  const { pipeline } = context.config;
  if (!hasPipeline(context)) throw noPipeline();
  await using database = await openDatabase(context);
  const switches = await modelSwitches(database.pool, pipeline, { limit, belt: belt ?? null });
  const ofBelts = switches.some((one) => one.belt !== null);
  const named = ({ belt }: ModelSwitch, model: string | null) =>
    model ?? (belt === null ? null : "the pipeline's");
  context.print(switches, () =>
    switches.length === 0
      ? `No model has been chosen for ${belt === undefined ? '' : `belt ${belt} of `}pipeline ${pipeline} yet: visionscale model use <model>`
      : table(switches, [
          { title: 'when', value: ({ at }) => at.toISOString() },
          ...(ofBelts ? [{ title: 'belt', value: ({ belt }: ModelSwitch) => belt }] : []),
          { title: 'from', value: (one) => named(one, one.former) },
          { title: 'to', value: (one) => named(one, one.current) },
          { title: 'by', value: ({ account, host }) => `${account} on ${host}` },
        ]),
  );
}

export async function rollback(
  context: Context,
  { belt = null, ...flags }: SwitchFlags & { belt?: string | null },
): Promise<number> {
  if (!hasPipeline(context)) throw noPipeline();
  const models = openModelStore(context.config.models);
  await using database = await openDatabase(context);
  const { pool } = database;
  const digest = await formerDigest(pool, context.config.pipeline, belt);
  const entry = digest === null ? null : await entryOf(context, pool, models, digest);
  return await switchModel(context, { models, entry, belt, database }, flags);
}

/** One that this host does not have is fetched. */
async function entryOf(
  context: Context,
  pool: Pool,
  models: ModelStore,
  digest: string,
): Promise<ModelEntry> {
  const here = async () => (await models.list()).find((entry) => entry.digest === digest);
  const known = await here();
  if (known !== undefined) return known;
  await using store = await openReadyStore(context);
  await loadByDigest({ pool, store }, models, digest);
  return (await here()) ?? (await models.find(digest));
}

function noPipeline(): VisionscaleError {
  return new VisionscaleError('there is no pipeline here, so there are no previous models', {
    code: 'no_former',
    hint: 'Choose a model of this host: visionscale model use <model> (all: visionscale model list)',
  });
}
