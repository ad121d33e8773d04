/** What `model history` and `model rollback` do: they tell who switched what, when and from where, and go back one switch. */
import type { Pool } from 'pg';
import { openDatabase } from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { table } from '../../lib/base/report/table.ts';
import type { ModelEntry } from '../../lib/models/store/entry.ts';
import { loadByDigest } from '../../lib/models/store/pipeline-model.ts';
import { type ModelStore, openModelStore } from '../../lib/models/store/store.ts';
import { readPublishedNames } from '../../lib/systems/database/tables/models.ts';
import { listModelSwitches, listSwitches } from '../../lib/systems/database/tables/switches.ts';
import { openReadyStore } from '../shared/opening.ts';
import { hasPipeline } from '../shared/pipeline-here.ts';
import type { Context } from '../shared/run.ts';
import { type SwitchFlags, switchModel } from './switch.ts';

interface ModelSwitch {
  at: Date;
  /** Null: the pipeline's. */
  belt: string | null;
  /** `name@version`, or the digest of a model that is not published any more; null, of a belt: the pipeline's model. */
  former: string | null;
  current: string | null;
  account: string;
  host: string;
}

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

async function modelSwitches(
  pool: Pool,
  pipeline: string,
  which: { limit: number; belt: string | null },
): Promise<ModelSwitch[]> {
  const rows = await listModelSwitches(pool, pipeline, which);
  const digests = rows.flatMap(({ former, current }) => [former, current]).filter((one) => one !== null);
  const published = await readPublishedNames(pool, [...new Set(digests)]);
  const names = new Map(published.map(({ digest, name, version }) => [digest, `${name}@${version}`]));
  const named = (digest: string | null) => digest && (names.get(digest) ?? digest.slice(0, 19));
  return rows.map(({ at, belt, former, current, account, host }) => ({
    at,
    belt,
    former: named(former),
    current: named(current),
    account,
    host,
  }));
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

/** Of the model before the latest switch; null, of a belt: it took the pipeline's. */
async function formerDigest(pool: Pool, pipeline: string, belt: string | null): Promise<string | null> {
  const [latest] =
    belt === null
      ? await listSwitches(pool, pipeline, 'model', 1)
      : await listModelSwitches(pool, pipeline, { belt, limit: 1 });
  const digest = latest?.former ?? null;
  if (latest === undefined || (belt === null && digest === null)) {
    const whose = belt === null ? `pipeline ${pipeline}` : `belt ${belt} of pipeline ${pipeline}`;
    throw new VisionscaleError(`${whose} has no previous model`, {
      code: 'no_former',
      hint: 'Choose one: visionscale model use <model> (all: visionscale model list)',
    });
  }
  return digest;
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
