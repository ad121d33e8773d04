/** The table positions: where a consumer of a partition starts. Written only by the recording transaction. */
import type { Pool } from 'pg';
import type { PartitionId } from './owners.ts';

export interface Position {
  nextOffset: number;
  lastOffset: number | null;
  lastTimestamp: number | null;
}

/** Null where this pipeline has recorded nothing of the partition. */
export async function readPosition(pool: Pool, id: PartitionId): Promise<Position | null> {
  const { rows } = await pool.query<Position>(
    `select next_offset as "nextOffset", last_offset as "lastOffset", last_timestamp_ms as "lastTimestamp"
     from positions where pipeline = $1 and topic = $2 and partition = $3`,
    [id.pipeline, id.topic, id.partition],
  );
  return rows[0] ?? null;
}
