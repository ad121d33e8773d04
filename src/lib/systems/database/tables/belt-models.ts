/** The table belt_models: belts that have a model of their own; every other belt takes its pipeline's. */
import type { Pool } from 'pg';
import { underLock } from '../lock-holder.ts';
import type { PublishedModel } from './models.ts';
import { type BeltId, recordBeltSwitch } from './switches.ts';

/** A model that is to be run, and the size of its weights, which says before it is fetched what it takes to hold it. */
export type ChosenModel = Pick<PublishedModel, 'digest' | 'bytes'>;

/** What a pipeline's consumers are to run. */
export interface ChosenModels {
  /** Null where nobody has said. */
  pipelines: ChosenModel | null;
  byBelt: Map<string, ChosenModel>;
}

/** In one statement: it is read every second. */
export async function readChosenModels(pool: Pool, pipeline: string): Promise<ChosenModels> {
  const { rows } = await pool.query<{ belt: string | null; digest: string; bytes: string }>(
    `select null as belt, digest, bytes from active_models join models using (digest) where pipeline = $1
     union all
     select belt, digest, bytes from belt_models join models using (digest) where pipeline = $1`,
    [pipeline],
  );
  const chosen: ChosenModels = { pipelines: null, byBelt: new Map() };
  for (const { belt, digest, bytes } of rows) {
    const model = { digest, bytes: Number(bytes) };
    if (belt === null) chosen.pipelines = model;
    else chosen.byBelt.set(belt, model);
  }
  return chosen;
}

export interface BeltModel extends Pick<PublishedModel, 'digest' | 'name' | 'version'> {
  belt: string;
}

/** Belts in the order of their names. */
export async function listBeltModels(pool: Pool, pipeline: string): Promise<BeltModel[]> {
  const { rows } = await pool.query<BeltModel>(
    `select belt, digest, name, version from belt_models join models using (digest)
     where pipeline = $1 order by belt`,
    [pipeline],
  );
  return rows;
}

/** Null: the belt takes the pipeline's model from now on. What was chosen before is in the history. */
export async function setBeltModel(
  pool: Pool,
  { pipeline, belt }: BeltId,
  digest: string | null,
  account?: string,
): Promise<void> {
  await underLock(pool, `model ${pipeline}`, async (client) => {
    const { rows } = await client.query<{ digest: string }>(
      'select digest from belt_models where pipeline = $1 and belt = $2',
      [pipeline, belt],
    );
    const former = rows[0]?.digest ?? null;
    if (former === digest) return;
    if (digest === null) {
      await client.query('delete from belt_models where pipeline = $1 and belt = $2', [pipeline, belt]);
    } else {
      await client.query(
        `insert into belt_models (pipeline, belt, digest) values ($1, $2, $3)
         on conflict (pipeline, belt) do update set digest = excluded.digest, changed_at = now()`,
        [pipeline, belt, digest],
      );
    }
    await recordBeltSwitch(client, { pipeline, belt }, { former, current: digest }, account);
  });
}
