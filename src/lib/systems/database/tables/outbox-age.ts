/** How long the oldest message of the outbox has been waiting for its topic. */
import type { Pool } from 'pg';

/** Seconds; null where nothing waits. Costs a look-up for each partition that ever had an owner, however much waits. */
export async function oldestInOutbox(pool: Pool, pipeline: string, topic: string): Promise<number | null> {
  const { rows } = await pool.query<{ seconds: number | null }>(
    `select extract(epoch from clock_timestamp() - min(oldest.created_at))::float8 as seconds
     from owners
     cross join lateral (
       select created_at from outbox
       where pipeline = owners.pipeline and topic = owners.topic and partition = owners.partition
         and refused is null
       order by id limit 1
     ) as oldest
     where pipeline = $1 and topic = $2`,
    [pipeline, topic],
  );
  return rows[0]?.seconds ?? null;
}
