/** The table suspects: requests that are worked on alone after an owner ended abnormally, marked before they start. */
import type { Pool } from 'pg';

/** Marks the request; returns how many processes before this one had marked it and ended without taking the mark back. */
export async function markSuspect(
  pool: Pool,
  pipeline: string,
  requestId: string,
  owner: string,
): Promise<number> {
  const { rows } = await pool.query<{ before: number }>(
    `insert into suspects as s (pipeline, request_id, owner) values ($1, $2, $3)
     on conflict (pipeline, request_id) do update set
       starts = s.starts + (s.owner <> excluded.owner)::int, owner = excluded.owner, started_at = clock_timestamp()
     returning starts - 1 as before`,
    [pipeline, requestId, owner],
  );
  return rows[0]!.before;
}

/** It has ended, well or badly, and the process lives. */
export async function clearSuspect(pool: Pool, pipeline: string, requestId: string): Promise<void> {
  await pool.query('delete from suspects where pipeline = $1 and request_id = $2', [pipeline, requestId]);
}
