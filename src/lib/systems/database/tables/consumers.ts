/** The table consumers: every consumer process that lives, whether or not it owns a partition. */
import type { Pool } from 'pg';
import { leaseMs, type OwnerMode } from './owners.ts';

export type ShareKind = 'partition' | 'any' | 'group';

/** What does not change while a process lives. */
export interface ConsumerId {
  owner: string;
  pipeline: string;
  topic: string;
  hostname: string;
  share: ShareKind;
  /** The one it was told to consume. */
  partition: number | null;
}

/** What of a belt may drift: the share of unknown images, the mean confidence, the mix of classes. */
export const driftKinds = ['unknown', 'confidence', 'classes'] as const;

export type DriftKind = (typeof driftKinds)[number];

/** A belt that a model does not see as it did. */
export interface Drift {
  /** Null: images without a belt. */
  belt: string | null;
  model: { name: string; version: string; digest: string };
  kind: DriftKind;
  /** ISO 8601; null: since its first images, compared with training. */
  since: string | null;
  /** Percent: unknown images, mean confidence, or images of `category`. */
  from: number;
  to: number;
  /** Of classes: the one whose share changed most. */
  category: string | null;
}

/** What it tells every time. */
export interface ConsumerReport {
  /** starting, standing by, consuming, waiting, draining */
  state: string;
  /** Why it waits. */
  detail: string | null;
  model: string | null;
  modelDigest: string | null;
  engine: string | null;
  imagesLastMinute: number;
  /** A few at most; null: nothing drifts. */
  drift: readonly Drift[] | null;
  /** Cores that its processes kept busy, the mean of the last seconds; null: not known yet, or not told by its version. */
  cpuCores: number | null;
  /** Resident memory of its processes; null: not told by its version. */
  memoryBytes: number | null;
}

export interface ConsumerRow extends ConsumerId, ConsumerReport {
  live: boolean;
  /** Of its state. */
  since: Date;
  startedAt: Date;
  heardAt: Date;
}

/** It counts as living for as long as a lease lasts. A state that silence interrupted begins anew. */
export async function hear(pool: Pool, id: ConsumerId, report: ConsumerReport): Promise<void> {
  await pool.query(
    `insert into consumers as c (owner, pipeline, topic, hostname, share, partition, state, detail, model, model_digest,
       engine, images_last_minute, drift, cpu_cores, memory_bytes, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
       clock_timestamp() + $16 * interval '1 millisecond')
     on conflict (owner) do update set state = excluded.state, detail = excluded.detail, model = excluded.model,
       model_digest = excluded.model_digest, engine = excluded.engine, images_last_minute = excluded.images_last_minute,
       drift = excluded.drift, cpu_cores = excluded.cpu_cores, memory_bytes = excluded.memory_bytes,
       heard_at = clock_timestamp(), expires_at = excluded.expires_at,
       since = case when c.state = excluded.state and c.expires_at > clock_timestamp() then c.since
         else clock_timestamp() end`,
    [
      ...[id.owner, id.pipeline, id.topic, id.hostname, id.share, id.partition],
      ...[report.state, report.detail, report.model, report.modelDigest, report.engine],
      ...[report.imagesLastMinute, report.drift === null ? null : JSON.stringify(report.drift)],
      ...[report.cpuCores, report.memoryBytes, leaseMs],
    ],
  );
}

/** A process that ends takes its row along; those that could not are swept away after a day. */
export async function leave(pool: Pool, { owner }: Pick<ConsumerId, 'owner'>): Promise<void> {
  await pool.query(
    `delete from consumers where owner = $1 or expires_at < clock_timestamp() - interval '1 day'`,
    [owner],
  );
}

/**
 * Writes the rows of a host's consumers that fell silent within a minute, as they are. Rejects, or waits, where nothing can be
 * written: there the living are silent too.
 */
export async function rewriteSilent(
  pool: Pool,
  { pipeline, topic, hostname }: Pick<ConsumerId, 'pipeline' | 'topic' | 'hostname'>,
): Promise<void> {
  await pool.query(
    `update consumers set expires_at = expires_at where pipeline = $1 and topic = $2 and hostname = $3
       and expires_at between clock_timestamp() - interval '1 minute' and clock_timestamp()`,
    [pipeline, topic, hostname],
  );
}

/** The longest-lived first; those that have fallen silent within a day too. */
export async function readConsumers(pool: Pool, pipeline: string, topic: string): Promise<ConsumerRow[]> {
  const { rows } = await pool.query<ConsumerRow>(
    `select owner, pipeline, topic, hostname, share, partition, state, detail, since, model,
       model_digest as "modelDigest", engine, images_last_minute as "imagesLastMinute", drift, cpu_cores as "cpuCores",
       memory_bytes as "memoryBytes", started_at as "startedAt", heard_at as "heardAt", expires_at > clock_timestamp() as live
     from consumers where pipeline = $1 and topic = $2 order by started_at, owner`,
    [pipeline, topic],
  );
  return rows;
}

export interface OwnersAndSharers {
  /** The partitions that have a living owner. */
  owners: { partition: number; owner: string; hostname: string; mode: OwnerMode }[];
  /**
   * The consumers that share what nobody was told to consume, the longest-lived first: those that own something or stand by
   * for it. Who is still starting, or waits before it can, takes nothing from the others.
   */
  sharers: string[];
}

export async function readOwnersAndSharers(
  pool: Pool,
  pipeline: string,
  topic: string,
): Promise<OwnersAndSharers> {
  const { rows } = await pool.query<OwnersAndSharers>(
    `with live as (
       select partition, owner, hostname, mode from owners
       where pipeline = $1 and topic = $2 and owner is not null and expires_at > clock_timestamp()
     )
     select
       (select coalesce(json_agg(live order by partition), '[]') from live) as owners,
       (select coalesce(json_agg(owner order by started_at, owner), '[]') from consumers c
        where pipeline = $1 and topic = $2 and share = 'any' and expires_at > clock_timestamp() and state <> 'draining'
          and (state = 'standing by' or exists (select from live where live.owner = c.owner))) as sharers`,
    [pipeline, topic],
  );
  return rows[0]!;
}
