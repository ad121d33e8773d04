/** Counts and owners for `status` and `demo`. */
import type { Pool } from 'pg';

export interface OutcomeCounts {
  predictions: number;
  deadLetters: number;
  /** Parts of messages that asked for nothing. */
  ignored: number;
}

export async function countOutcomes(pool: Pool, pipeline: string): Promise<OutcomeCounts> {
  const { rows } = await pool.query<OutcomeCounts>(
    `select (select count(*)::int8 from prediction_results where pipeline = $1) as predictions,
       (select count(*)::int8 from dead_letters where pipeline = $1 and state = 'open') as "deadLetters",
       (select coalesce(sum(ignored), 0)::int8 from positions where pipeline = $1) as ignored`,
    [pipeline],
  );
  return rows[0] ?? { predictions: 0, deadLetters: 0, ignored: 0 };
}

export interface OwnerRow {
  partition: number;
  owner: string | null;
  hostname: string;
  epoch: number;
  mode: string;
  live: boolean;
  state: string;
  detail: string | null;
  model: string | null;
  modelDigest: string | null;
  engine: string | null;
}

export async function readOwners(pool: Pool, pipeline: string, topic: string): Promise<OwnerRow[]> {
  const { rows } = await pool.query<OwnerRow>(
    `select partition, owner, hostname, epoch, mode, expires_at > clock_timestamp() as live, state, detail, model,
       model_digest as "modelDigest", engine
     from owners where pipeline = $1 and topic = $2 order by partition`,
    [pipeline, topic],
  );
  return rows;
}
