/** The tables owners (one lease a partition, with an epoch that grows with every owner) and positions (where it starts). */
import type { Pool } from 'pg';
import { underLock } from '../lock-holder.ts';

export type OwnerMode = 'partition' | 'group';

export interface PartitionId {
  pipeline: string;
  topic: string;
  partition: number;
}

/** Who asks for a lease. */
export interface Claimant {
  /** Unique to the process: host:pid:random. */
  owner: string;
  hostname: string;
  mode: OwnerMode;
}

export interface Lease extends PartitionId {
  owner: string;
  epoch: number;
  /** The former owner never gave the partition back, or stalled: it may have died, or hung, of what it was working on. */
  orphaned: boolean;
}

export interface Holder {
  owner: string;
  hostname: string;
  partition: number;
  mode: OwnerMode;
}

export type Claim =
  | { kind: 'granted'; lease: Lease }
  | { kind: 'held'; holder: Holder }
  /** Consumers of the other mode are at work on this pipeline and topic; both at once are refused. */
  | { kind: 'conflict'; holder: Holder };

/** What the owner tells about itself with every renewal. */
export interface OwnerReport {
  state: string;
  detail: string | null;
  model: string | null;
  modelDigest: string | null;
  engine: string | null;
}

/** How long a lease lasts without renewal, in milliseconds: what a killed owner costs. */
export const leaseMs = 4000;

/** The lock of all claims of a pipeline and topic. */
export const claimLock = (id: Pick<PartitionId, 'pipeline' | 'topic'>) => `owners ${id.pipeline} ${id.topic}`;

/** Takes the lease where it is free, released or expired. Throws `lock_held`. */
export async function claim(pool: Pool, id: PartitionId, claimant: Claimant): Promise<Claim> {
  // One claim at a time for a pipeline and topic, so that the two modes cannot slip past each other.
  return underLock(pool, claimLock(id), async (client) => {
    const owned = await client.query<Holder & { live: boolean }>(
      `select owner, hostname, partition, mode, owner is not null and expires_at > clock_timestamp() as live from owners
       where pipeline = $1 and topic = $2 and (owner is not null or state = 'stalled')
       order by partition`,
      [id.pipeline, id.topic],
    );
    const live = owned.rows.filter((row) => row.live);
    const conflict = live.find((holder) => holder.mode !== claimant.mode);
    if (conflict) return { kind: 'conflict', holder: conflict };
    const holder = live.find((row) => row.partition === id.partition);
    if (holder) return { kind: 'held', holder };
    const orphaned = owned.rows.some((row) => row.partition === id.partition);
    // What the former owner records at this moment comes first: it shares the row's key, which the update alone would not await.
    await client.query(
      'select from owners where pipeline = $1 and topic = $2 and partition = $3 for update',
      [id.pipeline, id.topic, id.partition],
    );
    const { rows } = await client.query<{ epoch: number }>(
      `insert into owners (pipeline, topic, partition, mode, epoch, owner, hostname, expires_at)
       values ($1, $2, $3, $4, 1, $5, $6, clock_timestamp() + $7 * interval '1 millisecond')
       on conflict (pipeline, topic, partition) do update set
         mode = excluded.mode, epoch = owners.epoch + 1, owner = excluded.owner, hostname = excluded.hostname,
         expires_at = excluded.expires_at, state = 'starting', detail = null, started_at = clock_timestamp(),
         since = clock_timestamp()
       returning epoch`,
      [id.pipeline, id.topic, id.partition, claimant.mode, claimant.owner, claimant.hostname, leaseMs],
    );
    return { kind: 'granted', lease: { ...id, owner: claimant.owner, epoch: rows[0]!.epoch, orphaned } };
  });
}

/** Renews; false where the lease is somebody else's by now. A state that an expired lease interrupted begins anew. */
export async function renew(pool: Pool, lease: Lease, report: OwnerReport): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update owners set expires_at = clock_timestamp() + $6 * interval '1 millisecond',
       since = case when state = $7 and expires_at > clock_timestamp() then since else clock_timestamp() end,
       state = $7, detail = $8, model = $9, model_digest = $10, engine = $11
     where pipeline = $1 and topic = $2 and partition = $3 and owner = $4 and epoch = $5`,
    [
      lease.pipeline,
      lease.topic,
      lease.partition,
      lease.owner,
      lease.epoch,
      leaseMs,
      report.state,
      report.detail,
      report.model,
      report.modelDigest,
      report.engine,
    ],
  );
  return rowCount === 1;
}

/**
 * Renews what one owner has of a topic in one statement, and returns the partitions that it renewed. Those that are locked at
 * the moment, or somebody else's by now, are left out: nobody waits for them here.
 */
export async function renewTogether(
  pool: Pool,
  leases: readonly { lease: Lease; report: OwnerReport }[],
): Promise<Set<number>> {
  const [first] = leases;
  if (first === undefined) return new Set();
  const { pipeline, topic, owner } = first.lease;
  const { rows } = await pool.query<{ partition: number }>(
    `with ours as (
       select o.partition, r.state, r.detail, r.model, r.model_digest, r.engine
       from unnest($4::int[], $5::int8[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
         as r (partition, epoch, state, detail, model, model_digest, engine)
       join owners o on o.pipeline = $1 and o.topic = $2 and o.partition = r.partition
         and o.owner = $3 and o.epoch = r.epoch
       for no key update of o skip locked
     )
     update owners o set expires_at = clock_timestamp() + $11 * interval '1 millisecond',
       since = case when o.state = ours.state and o.expires_at > clock_timestamp() then o.since else clock_timestamp() end,
       state = ours.state,
       detail = ours.detail, model = ours.model, model_digest = ours.model_digest, engine = ours.engine
     from ours where o.pipeline = $1 and o.topic = $2 and o.partition = ours.partition
     returning o.partition`,
    [
      ...[pipeline, topic, owner],
      ...[leases.map(({ lease }) => lease.partition), leases.map(({ lease }) => lease.epoch)],
      ...(['state', 'detail', 'model', 'modelDigest', 'engine'] as const).map((what) =>
        leases.map(({ report }) => report[what]),
      ),
      leaseMs,
    ],
  );
  return new Set(rows.map(({ partition }) => partition));
}

/** Gives the lease back, so that a standby need not wait for its end; one that has stalled says so to the next owner. */
export async function release(pool: Pool, lease: Lease, state: 'released' | 'stalled'): Promise<void> {
  await pool.query(
    `update owners set owner = null, state = $6, detail = null, expires_at = clock_timestamp(), since = clock_timestamp()
     where pipeline = $1 and topic = $2 and partition = $3 and owner = $4 and epoch = $5`,
    [lease.pipeline, lease.topic, lease.partition, lease.owner, lease.epoch, state],
  );
}

/** The table positions: where a consumer of a partition starts. Written by the recording transaction, and here past gaps. */
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

/** The next offset of each partition of which this pipeline has recorded something. */
export async function readPositions(
  pool: Pool,
  { pipeline, topic }: Omit<PartitionId, 'partition'>,
): Promise<Map<number, number>> {
  const { rows } = await pool.query<{ partition: number; next: number }>(
    'select partition, next_offset as next from positions where pipeline = $1 and topic = $2',
    [pipeline, topic],
  );
  return new Map(rows.map(({ partition, next }) => [partition, next]));
}

/** Moves over offsets that hold no record (transaction markers, compaction). Does nothing where the lease is not ours any more. */
export async function skipGap(pool: Pool, lease: Lease, nextOffset: number): Promise<void> {
  await pool.query(
    `with ours as (select from owners
       where pipeline = $1 and topic = $2 and partition = $3 and owner = $4 and epoch = $5 for key share)
     insert into positions as p (pipeline, topic, partition, next_offset) select $1, $2, $3::int, $6::int8 from ours
     on conflict (pipeline, topic, partition) do update set
       next_offset = greatest(p.next_offset, excluded.next_offset), updated_at = clock_timestamp()`,
    [lease.pipeline, lease.topic, lease.partition, lease.owner, lease.epoch, nextOffset],
  );
}

export interface OwnerRow {
  partition: number;
  owner: string | null;
  hostname: string;
  epoch: number;
  mode: string;
  live: boolean;
  state: string;
  /** Of its state; where the lease has run out, of that. */
  since: Date;
  detail: string | null;
  model: string | null;
  modelDigest: string | null;
  engine: string | null;
}

export async function readOwners(pool: Pool, pipeline: string, topic: string): Promise<OwnerRow[]> {
  const { rows } = await pool.query<OwnerRow>(
    `select partition, owner, hostname, epoch, mode, expires_at > clock_timestamp() as live, state, detail, model,
       case when owner is null or expires_at > clock_timestamp() then since else expires_at end as since, model_digest as "modelDigest", engine
     from owners where pipeline = $1 and topic = $2 order by partition`,
    [pipeline, topic],
  );
  return rows;
}
