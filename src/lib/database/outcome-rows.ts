/** The rows that outcomes become, within the recording transaction. */
import type { PoolClient } from 'pg';
import { plausibleTime } from '../message/time.ts';
import type { DeadLetter, Prediction } from './record.ts';
import type { Settled } from './settle.ts';

export interface RecordedBy {
  pipeline: string;
  topic: string;
  hostname: string;
}

/** Returns how many were new. */
export async function insertPredictions(
  client: PoolClient,
  by: RecordedBy,
  predictions: readonly Prediction[],
): Promise<number> {
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
     on conflict (pipeline, request_id) do nothing`,
    [JSON.stringify(rows), by.hostname, by.pipeline, by.topic],
  );
  return rowCount ?? 0;
}

/** One by one: they are rare, and each may carry a large message. Returns how many were new. */
export async function insertLetters(
  client: PoolClient,
  by: RecordedBy,
  letters: readonly DeadLetter[],
): Promise<number> {
  let inserted = 0;
  for (const letter of letters) {
    const { record } = letter;
    const { rowCount } = await client.query(
      `insert into dead_letters (pipeline, request_id, image_key, topic, partition, "offset", message_key, message_value,
         headers, stage, code, message, hostname)
       select $1, $2, $3, $4, $5::int, $6::int8, $7::bytea, $8::bytea, $9::jsonb, $10, $11, $12, $13
       where not exists (select from prediction_results where pipeline = $1 and request_id = $2)
       on conflict (pipeline, request_id) do nothing`,
      [
        by.pipeline,
        letter.requestId,
        letter.imageKey,
        by.topic,
        record.partition,
        record.offset,
        record.key,
        record.value,
        JSON.stringify(recordableHeaders(record.headers)),
        letter.stage,
        letter.code,
        recordable(letter.message),
        by.hostname,
      ],
    );
    inserted += rowCount ?? 0;
  }
  return inserted;
}

/** A retry became a prediction. */
export async function resolveLetters(
  client: PoolClient,
  by: RecordedBy,
  requestIds: Settled['resolved'],
): Promise<void> {
  if (requestIds.length === 0) return;
  await client.query(
    `update dead_letters set state = 'resolved', closed_at = clock_timestamp()
     where pipeline = $1 and request_id = any($2)`,
    [by.pipeline, requestIds],
  );
}

/** A retry failed too: the letter tells the latest reason, and keeps the original message. */
export async function noteFailures(
  client: PoolClient,
  by: RecordedBy,
  failures: Settled['failedAgain'],
): Promise<void> {
  for (const { requestId, stage, code, message, imageKey } of failures) {
    await client.query(
      `update dead_letters set attempts = attempts + 1, last_at = clock_timestamp(), stage = $3, code = $4, message = $5,
         hostname = $6, image_key = coalesce($7, image_key)
       where pipeline = $1 and request_id = $2`,
      [by.pipeline, requestId, stage, code, recordable(message), by.hostname, imageKey],
    );
  }
}

function isoTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/** PostgreSQL's text holds no NUL and no half of a surrogate pair, and what comes from outside may. */
export function recordable(text: string): string {
  return text.replaceAll('\0', '\\0').toWellFormed();
}

/** The same for names and values. */
export function recordableHeaders(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [recordable(name), recordable(value)]),
  );
}
