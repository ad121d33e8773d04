/** The table positions: where a consumer of a partition starts. Written by the recording transaction, and here past gaps. */
import type { Pool } from 'pg';
import type { Lease, PartitionId } from './owners.ts';

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

/** Moves over offsets that hold no record (transaction markers, compaction). Does nothing where the lease is not ours any more. */
export async function skipGap(pool: Pool, lease: Lease, nextOffset: number): Promise<void> {
  await pool.query(
    `with ours as (select from owners
       where pipeline = $1 and topic = $2 and partition = $3 and owner = $4 and epoch = $5 for share)
     insert into positions as p (pipeline, topic, partition, next_offset) select $1, $2, $3::int, $6::int8 from ours
     on conflict (pipeline, topic, partition) do update set
       next_offset = greatest(p.next_offset, excluded.next_offset), updated_at = clock_timestamp()`,
    [lease.pipeline, lease.topic, lease.partition, lease.owner, lease.epoch, nextOffset],
  );
}
