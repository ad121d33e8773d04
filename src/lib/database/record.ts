/** The recording transaction: rows or dead letters, the position and the check of ownership, all or nothing. */
import type { Pool, PoolClient } from 'pg';
import { VisionscaleError } from '../errors.ts';
import type { Classification } from '../classifier/classifier.ts';
import type { Request } from '../message/request.ts';
import { plausibleTime } from '../message/time.ts';
import type { TopicRecord } from '../topic/topic.ts';
import type { Lease } from './owners.ts';
import { withTransaction } from './transaction.ts';

export interface Prediction {
  kind: 'prediction';
  record: TopicRecord;
  request: Request;
  classification: Classification;
  fetchMs: number;
}

export interface DeadLetter {
  kind: 'dead letter';
  record: TopicRecord;
  requestId: string;
  imageKey: string | null;
  stage: 'read' | 'fetch' | 'classify';
  code: string;
  message: string;
}

export type Outcome = Prediction | DeadLetter;

/** The records of one group are contiguous; `outcomes` may be fewer or more than the records. */
export interface Recording {
  outcomes: Outcome[];
  /** The last record taken: the position moves behind it. */
  last: TopicRecord;
  hostname: string;
}

export interface Recorded {
  predicted: number;
  deadLettered: number;
}

/** The lease is somebody else's: nothing was written. */
export class OwnershipLostError extends VisionscaleError {
  override readonly name = 'OwnershipLostError';
  constructor(lease: Lease) {
    super(`partition ${lease.partition} has another owner now (epoch ${lease.epoch} is over)`, {
      code: 'ownership_lost',
    });
  }
}

/** Counts what was new; a request that already has its outcome changes nothing. Throws OwnershipLostError. */
export async function record(pool: Pool, lease: Lease, recording: Recording): Promise<Recorded> {
  return withTransaction(pool, async (client) => {
    await checkOwner(client, lease);
    const predicted = await insertPredictions(client, lease, recording);
    const deadLettered = await insertDeadLetters(client, lease, recording);
    await client.query(
      `insert into positions as p (pipeline, topic, partition, next_offset, last_offset, last_timestamp_ms,
         predicted, dead_lettered)
       values ($1, $2, $3, $4, $5, $6, $7, $8)
       on conflict (pipeline, topic, partition) do update set
         next_offset = excluded.next_offset, last_offset = excluded.last_offset,
         last_timestamp_ms = excluded.last_timestamp_ms, updated_at = clock_timestamp(),
         predicted = p.predicted + excluded.predicted, dead_lettered = p.dead_lettered + excluded.dead_lettered`,
      [
        lease.pipeline,
        lease.topic,
        lease.partition,
        recording.last.offset + 1,
        recording.last.offset,
        recording.last.timestamp,
        predicted,
        deadLettered,
      ],
    );
    return { predicted, deadLettered };
  });
}

/** The row lock holds off a takeover until this transaction has ended. */
async function checkOwner(client: PoolClient, lease: Lease): Promise<void> {
  const { rowCount } = await client.query(
    `select 1 from owners
     where pipeline = $1 and topic = $2 and partition = $3 and owner = $4 and epoch = $5 for share`,
    [lease.pipeline, lease.topic, lease.partition, lease.owner, lease.epoch],
  );
  if (rowCount !== 1) throw new OwnershipLostError(lease);
}

async function insertPredictions(client: PoolClient, lease: Lease, recording: Recording): Promise<number> {
  const predictions = recording.outcomes.filter((o) => o.kind === 'prediction');
  if (predictions.length === 0) return 0;
  const rows = predictions.map(({ record, request, classification, fetchMs }) => ({
    image_key: request.imageKey,
    category: classification.top[0]!.category,
    confidence: classification.top[0]!.confidence,
    request_id: request.id,
    partition: record.partition,
    offset: record.offset,
    model: classification.model.name,
    model_version: classification.model.version,
    model_digest: classification.model.digest,
    top: classification.top,
    belt: request.belt,
    stages: { fetch: fetchMs, ...classification.stages },
    captured_at: isoTime(request.capturedAt),
    since: isoTime(request.capturedAt ?? plausibleTime(record.timestamp)),
  }));
  const { rowCount } = await client.query(
    `insert into prediction_results (image_key, category, confidence, hostname, pipeline, request_id, topic, partition,
       "offset", model, model_version, model_digest, top, belt, stages, captured_at, latency_ms)
     select r.image_key, r.category, least(100, r.confidence), $2, $3, r.request_id, $4, r.partition,
       r."offset", r.model, r.model_version, r.model_digest, r.top, r.belt, r.stages, r.captured_at,
       greatest(0, extract(epoch from clock_timestamp() - r.since) * 1000)
     from jsonb_to_recordset($1::jsonb) as r (image_key text, category text, confidence float8, request_id text,
       partition int, "offset" int8, model text, model_version text, model_digest text, top jsonb, belt text,
       stages jsonb, captured_at timestamptz, since timestamptz)
     where not exists (select from dead_letters d
       where d.pipeline = $3 and d.request_id = r.request_id and d.state = 'open')
     on conflict (pipeline, request_id) do nothing`,
    [JSON.stringify(rows), recording.hostname, lease.pipeline, lease.topic],
  );
  return rowCount ?? 0;
}

/** One by one: they are rare, and each may carry a large message. */
async function insertDeadLetters(client: PoolClient, lease: Lease, recording: Recording): Promise<number> {
  let inserted = 0;
  for (const letter of recording.outcomes) {
    if (letter.kind !== 'dead letter') continue;
    const { record } = letter;
    const { rowCount } = await client.query(
      `insert into dead_letters (pipeline, request_id, image_key, topic, partition, "offset", message_key, message_value,
         headers, stage, code, message, hostname)
       select $1, $2, $3, $4, $5::int, $6::int8, $7::bytea, $8::bytea, $9::jsonb, $10, $11, $12, $13
       where not exists (select from prediction_results where pipeline = $1 and request_id = $2)
       on conflict (pipeline, request_id) do nothing`,
      [
        lease.pipeline,
        letter.requestId,
        letter.imageKey,
        lease.topic,
        record.partition,
        record.offset,
        record.key,
        record.value,
        JSON.stringify(withoutNul(record.headers)),
        letter.stage,
        letter.code,
        letter.message.replaceAll('\0', '\\0'),
        recording.hostname,
      ],
    );
    inserted += rowCount ?? 0;
  }
  return inserted;
}

function isoTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/** PostgreSQL's text holds no NUL, and a header may. */
function withoutNul(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.replaceAll('\0', '\\0'),
      value.replaceAll('\0', '\\0'),
    ]),
  );
}
