/** The tables switches and belt_switches: who changed the models or the bins that a pipeline's consumers use, when, and from where. */
import { hostname } from 'node:os';
import type { Pool, PoolClient } from 'pg';
import { accountName } from '../../../base/account.ts';

export type SwitchKind = 'model' | 'bins';

export interface SwitchRow {
  /** A model's digest, or a version of the bins; null: nothing was chosen before. */
  former: string | null;
  current: string;
  at: Date;
  account: string;
  host: string;
}

/** A belt of a pipeline. */
export interface BeltId {
  pipeline: string;
  belt: string;
}

/** Of a pipeline's model where `belt` is null; else of a belt's, where null means the pipeline's model. */
export interface ModelSwitchRow extends Omit<SwitchRow, 'current'> {
  belt: string | null;
  current: string | null;
}

/** From this process's host; in the transaction that makes the switch. `account`: who makes it. */
export async function recordSwitch(
  client: PoolClient,
  pipeline: string,
  kind: SwitchKind,
  { former, current }: Pick<SwitchRow, 'former' | 'current'>,
  account = accountName(),
): Promise<void> {
  await client.query(
    'insert into switches (pipeline, kind, former, current, account, host) values ($1, $2, $3, $4, $5, $6)',
    [pipeline, kind, former, current, account, hostname()],
  );
}

/** Likewise. */
export async function recordBeltSwitch(
  client: PoolClient,
  { pipeline, belt }: BeltId,
  { former, current }: Pick<ModelSwitchRow, 'former' | 'current'>,
  account = accountName(),
): Promise<void> {
  await client.query(
    `insert into belt_switches (pipeline, belt, former, current, account, host) values ($1, $2, $3, $4, $5, $6)`,
    [pipeline, belt, former, current, account, hostname()],
  );
}

/** Latest first. */
export async function listSwitches(
  pool: Pool,
  pipeline: string,
  kind: SwitchKind,
  limit: number,
): Promise<SwitchRow[]> {
  const { rows } = await pool.query<SwitchRow>(
    `select former, current, switched_at as at, account, host from switches
     where pipeline = $1 and kind = $2 order by id desc limit $3`,
    [pipeline, kind, limit],
  );
  return rows;
}

/** The pipeline's and its belts', or one belt's alone. Latest first. */
export async function listModelSwitches(
  pool: Pool,
  pipeline: string,
  { belt = null, limit }: { belt?: string | null; limit: number },
): Promise<ModelSwitchRow[]> {
  const { rows } = await pool.query<ModelSwitchRow>(
    `select belt, former, current, at, account, host from (
       select id, null as belt, former, current, switched_at as at, account, host from switches
       where pipeline = $1 and kind = 'model' and $2::text is null
       union all
       select id, belt, former, current, switched_at, account, host from belt_switches
       where pipeline = $1 and ($2::text is null or belt = $2)
     ) as all_of_them order by at desc, id desc limit $3`,
    [pipeline, belt, limit],
  );
  return rows;
}
