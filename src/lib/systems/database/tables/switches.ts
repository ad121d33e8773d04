/** The table switches: who changed the model or the bins that a pipeline's consumers use, when, and from where. */
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

/** Of this process's account and host; in the transaction that makes the switch. */
export async function recordSwitch(
  client: PoolClient,
  pipeline: string,
  kind: SwitchKind,
  { former, current }: Pick<SwitchRow, 'former' | 'current'>,
): Promise<void> {
  await client.query(
    'insert into switches (pipeline, kind, former, current, account, host) values ($1, $2, $3, $4, $5, $6)',
    [pipeline, kind, former, current, accountName(), hostname()],
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
