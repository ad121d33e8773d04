/** The table outbox: messages about new rows, written with them and deleted when a topic has them. */
import type { Pool } from 'pg';
import type { PartitionId } from './owners.ts';

export const outboxKinds = ['result', 'dead'] as const;
export type OutboxKind = (typeof outboxKinds)[number];

export interface OutboxMessage {
  id: number;
  /** The image key; null where nobody could read it. */
  key: string | null;
  payload: unknown;
}

/** As `Date.toISOString` writes it, whatever time zone the session has. */
const iso = (time: string) => `to_char(${time} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** Of a row of prediction_results; docs/result.schema.json describes it. */
export const resultMessage = `jsonb_build_object('id', request_id, 'imageKey', image_key, 'category', category,
  'confidence', confidence, 'top', top, 'novelty', novelty, 'bin', bin, 'binReason', bin_reason, 'binVersion', bin_version,
  'model', jsonb_build_object('name', model, 'version', model_version, 'digest', model_digest),
  'latencyMs', round(latency_ms::numeric, 3), 'capturedAt', ${iso('captured_at')}, 'processedAt', ${iso('time')},
  'belt', belt, 'hostname', hostname, 'pipeline', pipeline, 'traceparent', traceparent)`;

/** Of a row of dead_letters, without what was in the message; docs/dead.schema.json describes it. */
export const deadMessage = `jsonb_build_object('id', request_id, 'imageKey', image_key, 'stage', stage, 'code', code,
  'message', left(message, 2000), 'topic', topic, 'partition', partition, 'offset', "offset", 'failedAt', ${iso('first_at')},
  'belt', belt, 'hostname', hostname, 'pipeline', pipeline, 'traceparent', traceparent)`;

/**
 * Deletes what was acknowledged and reads what comes next. An owner records one transaction after the other, so the ids
 * of a partition come in the order of their commits: nothing new appears up to `after`, where dead rows may lie in heaps.
 */
export async function nextMessages(
  pool: Pool,
  id: PartitionId & { kind: OutboxKind },
  { acknowledged, after, limit }: { acknowledged: readonly number[]; after: number; limit: number },
): Promise<OutboxMessage[]> {
  const { rows } = await pool.query<OutboxMessage>(
    `with gone as (delete from outbox where id = any($5::int8[]))
     select id, record_key as key, payload from outbox
     where pipeline = $1 and topic = $2 and partition = $3 and kind = $4 and id > $6 and refused is null
     order by id limit $7`,
    [id.pipeline, id.topic, id.partition, id.kind, acknowledged, after, limit],
  );
  return rows;
}

/** Keeps what the topic will not take, with the reason: nobody may think that it was published. */
export async function markRefused(pool: Pool, ids: readonly number[], reason: string): Promise<void> {
  await pool.query('update outbox set refused = $2 where id = any($1::int8[])', [ids, reason.slice(0, 1000)]);
}

/** For a new owner: limits may have been raised meanwhile. */
export async function forgetRefusals(pool: Pool, id: PartitionId & { kind: OutboxKind }): Promise<void> {
  await pool.query(
    `update outbox set refused = null
     where pipeline = $1 and topic = $2 and partition = $3 and kind = $4 and refused is not null`,
    [id.pipeline, id.topic, id.partition, id.kind],
  );
}

/** What its topic refused. */
export interface Refusals {
  results: number;
  deadLetters: number;
  /** Of the latest. */
  reason: string | null;
}

export async function readRefusals(pool: Pool, pipeline: string, topic: string): Promise<Refusals> {
  const { rows } = await pool.query<Refusals>(
    `select count(*) filter (where kind = 'result')::int8 as results,
       count(*) filter (where kind = 'dead')::int8 as "deadLetters",
       (array_agg(refused order by id desc))[1] as reason
     from outbox where pipeline = $1 and topic = $2 and refused is not null`,
    [pipeline, topic],
  );
  return rows[0]!;
}

/** What no topic has yet, but for what was refused. */
export interface Backlog {
  results: number;
  deadLetters: number;
  /** How long the oldest has been waiting, in seconds; null where nothing waits. */
  oldestSeconds: number | null;
}

export async function readBacklog(pool: Pool, pipeline: string, topic: string): Promise<Backlog> {
  const { rows } = await pool.query<Backlog>(
    `select count(*) filter (where kind = 'result')::int8 as results,
       count(*) filter (where kind = 'dead')::int8 as "deadLetters",
       extract(epoch from clock_timestamp() - min(created_at))::float8 as "oldestSeconds"
     from outbox where pipeline = $1 and topic = $2 and refused is null`,
    [pipeline, topic],
  );
  return rows[0]!;
}

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
