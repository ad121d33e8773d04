/** The rows that outcomes become, within the recording transaction. */
import type { PoolClient } from 'pg';
import { decideBin } from '../bins/decide.ts';
import { manualBin } from '../bins/rules.ts';
import { plausibleTime } from '../message/time.ts';
import type { VersionedBins } from './active-bins.ts';
import { deadMessage, resultMessage } from './outbox.ts';
import type { DeadLetter, NewPrediction, Prediction } from './record.ts';
import type { Settled } from './settle.ts';

export interface RecordedBy {
  pipeline: string;
  topic: string;
  hostname: string;
  /** New rows go into the outbox too. */
  publish: boolean;
}

export interface SortedBy {
  /** Null: the pipeline has none. */
  bins: VersionedBins | null;
  deadlineMs: number | null;
}

/** Returns those that were new. Late is what this server's clock says is late: bin and latency of a row agree. */
export async function insertPredictions(
  client: PoolClient,
  by: RecordedBy,
  predictions: readonly Prediction[],
  { bins, deadlineMs }: SortedBy,
): Promise<NewPrediction[]> {
  if (predictions.length === 0) return [];
  const rows = predictions.map(({ record, request, classification, fetchMs }) => {
    const { top, model, stages } = classification;
    const decision = bins === null ? null : decideBin(bins.table, { top, lateBy: 0 });
    return {
      image_key: request.imageKey,
      category: top[0]!.category,
      confidence: top[0]!.confidence,
      request_id: request.id,
      partition: record.partition,
      offset: record.offset,
      model: model.name,
      model_version: model.version,
      model_digest: model.digest,
      top,
      bin: decision?.bin,
      bin_reason: decision?.reason,
      belt: request.belt,
      stages: { fetch: fetchMs, ...stages },
      captured_at: isoTime(request.capturedAt),
      since: isoTime(request.capturedAt ?? plausibleTime(record.timestamp)),
      traceparent: request.traceparent,
      bucket: request.bucket,
    };
  });
  const { rows: added } = await client.query<NewPrediction>(
    `with timed as materialized (
       select *, greatest(0, extract(epoch from clock_timestamp() - since) * 1000) as latency_ms
       from jsonb_to_recordset($1::jsonb) as r (image_key text, category text, confidence float8, request_id text,
         partition int, "offset" int8, model text, model_version text, model_digest text, top jsonb, bin text,
         bin_reason text, belt text, stages jsonb, captured_at timestamptz, since timestamptz, traceparent text,
         bucket text)
     ), inserted as (
       insert into prediction_results (image_key, category, confidence, hostname, pipeline, request_id, topic, partition,
         "offset", model, model_version, model_digest, top, belt, stages, captured_at, latency_ms, traceparent, bucket,
         bin_version, bin, bin_reason)
       select image_key, category, least(100, confidence), $2, $3, request_id, $4, partition,
         "offset", model, model_version, model_digest, top, belt, stages, captured_at, latency_ms, traceparent, bucket,
         $5::int, case when latency_ms > $6 then $7 else bin end,
         case when latency_ms > $6 then 'missed_deadline' else bin_reason end
       from timed
       on conflict (pipeline, request_id) do nothing
       returning *
     ), told as (
       insert into outbox (pipeline, topic, partition, kind, record_key, payload)
       select pipeline, topic, partition, 'result', image_key, ${resultMessage} from inserted where $8 order by id
     )
     select request_id as "requestId", belt, bin, bin_reason as "binReason", latency_ms as "latencyMs" from inserted`,
    [
      JSON.stringify(rows),
      by.hostname,
      by.pipeline,
      by.topic,
      bins?.version ?? null,
      deadlineMs,
      bins?.table.rules.manual ?? manualBin,
      by.publish,
    ],
  );
  return added;
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
      `with inserted as (
         insert into dead_letters (pipeline, request_id, image_key, topic, partition, "offset", message_key,
           message_value, headers, stage, code, message, hostname, belt, traceparent)
         select $1, $2, $3, $4, $5::int, $6::int8, $7::bytea, $8::bytea, $9::jsonb, $10, $11, $12, $13, $14, $15
         where not exists (select from prediction_results where pipeline = $1 and request_id = $2)
         on conflict (pipeline, request_id) do nothing
         returning id, pipeline, request_id, image_key, topic, partition, "offset", stage, code, message, hostname,
           belt, traceparent, first_at
       ), told as (
         insert into outbox (pipeline, topic, partition, kind, record_key, payload)
         select pipeline, topic, partition, 'dead', image_key, ${deadMessage} from inserted where $16
       )
       select from inserted`,
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
        letter.belt ?? null,
        letter.traceparent ?? null,
        by.publish,
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
