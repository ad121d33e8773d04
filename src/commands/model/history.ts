/** What `model history` and `model rollback` do: they tell who switched what, when and from where, and go back one switch. */
import type { Pool } from 'pg';
import { openDatabase } from '../../compose.ts';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { table } from '../../lib/base/report/table.ts';
import type { ModelEntry } from '../../lib/models/store/entry.ts';
import { loadByDigest } from '../../lib/models/store/pipeline-model.ts';
import { type ModelStore, openModelStore } from '../../lib/models/store/store.ts';
import { readPublishedNames } from '../../lib/systems/database/tables/models.ts';
import { listSwitches } from '../../lib/systems/database/tables/switches.ts';
import { openReadyStore } from '../shared/opening.ts';
import { hasPipeline } from '../shared/pipeline-here.ts';
import type { Context } from '../shared/run.ts';
import { type SwitchFlags, switchModel } from './switch.ts';

interface ModelSwitch {
  at: Date;
  /** `name@version`, or the digest of a model that is not published any more. */
  former: string | null;
  current: string;
  account: string;
  host: string;
}

export async function history(context: Context, { limit }: { limit: number }): Promise<void> {
  const { pipeline } = context.config;
  if (!hasPipeline(context)) throw noPipeline();
  await using database = await openDatabase(context);
  const switches = await modelSwitches(database.pool, pipeline, limit);
  context.print(switches, () =>
    switches.length === 0
      ? `No model has been chosen for pipeline ${pipeline} yet: visionscale model use <model>`
      : table(switches, [
          { title: 'when', value: ({ at }) => at.toISOString() },
          { title: 'from', value: ({ former }) => former },
          { title: 'to', value: ({ current }) => current },
          { title: 'by', value: ({ account, host }) => `${account} on ${host}` },
        ]),
  );
}

async function modelSwitches(pool: Pool, pipeline: string, limit: number): Promise<ModelSwitch[]> {
  const rows = await listSwitches(pool, pipeline, 'model', limit);
  const digests = rows.flatMap(({ former, current }) => (former === null ? [current] : [former, current]));
  const published = await readPublishedNames(pool, [...new Set(digests)]);
  const names = new Map(published.map(({ digest, name, version }) => [digest, `${name}@${version}`]));
  const named = (digest: string) => names.get(digest) ?? digest.slice(0, 19);
  return rows.map(({ at, former, current, account, host }) => ({
    at,
    former: former === null ? null : named(former),
    current: named(current),
    account,
    host,
  }));
}

export async function rollback(context: Context, flags: SwitchFlags): Promise<number> {
  if (!hasPipeline(context)) throw noPipeline();
  const models = openModelStore(context.config.models);
  await using database = await openDatabase(context);
  const entry = await formerModel(context, database.pool, models);
  return await switchModel(context, { models, entry, database }, flags);
}

/** The model before the latest switch; one that this host does not have is fetched. */
async function formerModel(context: Context, pool: Pool, models: ModelStore): Promise<ModelEntry> {
  const { pipeline } = context.config;
  const [latest] = await listSwitches(pool, pipeline, 'model', 1);
  const digest = latest?.former ?? null;
  if (digest === null) {
    throw new VisionscaleError(`pipeline ${pipeline} has no previous model`, {
      code: 'no_former',
      hint: 'Choose one: visionscale model use <model> (all: visionscale model list)',
    });
  }
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
