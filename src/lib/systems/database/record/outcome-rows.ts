/** The rows that outcomes become, within the recording transaction. */
import type { PoolClient } from 'pg';
import { decideBin } from '../../bins/decide.ts';
import { manualBin } from '../../bins/rules.ts';
import { latencyStart } from '../../message/values.ts';
import { planned } from '../session.ts';
import type { VersionedBins } from '../tables/bins.ts';
import { deadMessage, resultMessage } from '../tables/outbox.ts';
import type { DeadLetter, NewPrediction, Prediction } from './outcome.ts';
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
    const { top, model, stages, novelty } = classification;
    const decision = bins === null ? null : decideBin(bins.table, classification);
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
      novelty: novelty === undefined ? undefined : inReal(novelty),
      bin: decision?.bin,
      bin_reason: decision?.reason,
      belt: request.belt,
      stages: { fetch: fetchMs, ...stages },
      captured_at: isoTime(request.capturedAt),
      since: isoTime(latencyStart(request.capturedAt, record.timestamp)),
      traceparent: request.traceparent,
      bucket: request.bucket,
    };
  });
  const inserting = `with timed as materialized (
       select *, greatest(0, extract(epoch from clock_timestamp() - since) * 1000) as latency_ms
       from jsonb_to_recordset($1::jsonb) as r (image_key text, category text, confidence float8, request_id text,
         partition int, "offset" int8, model text, model_version text, model_digest text, top jsonb, novelty real,
         bin text, bin_reason text, belt text, stages jsonb, captured_at timestamptz, since timestamptz, traceparent text,
         bucket text)
     ), inserted as (
       insert into prediction_results (image_key, category, confidence, hostname, pipeline, request_id, topic, partition,
         "offset", model, model_version, model_digest, top, novelty, belt, stages, captured_at, latency_ms, traceparent,
         bucket, bin_version, bin, bin_reason)
       select image_key, category, least(100, confidence), $2, $3, request_id, $4, partition,
         "offset", model, model_version, model_digest, top, novelty, belt, stages, captured_at, latency_ms,
         traceparent, bucket, $5::int, case when latency_ms > $6 then $7 else bin end,
         case when latency_ms > $6 then 'missed_deadline' else bin_reason end
       from timed
       on conflict (pipeline, request_id) do nothing
       returning *
     ), told as (
       insert into outbox (pipeline, topic, partition, kind, record_key, payload)
       select pipeline, topic, partition, 'result', image_key, ${resultMessage} from inserted where $8 order by id
     )
     select request_id as "requestId", belt, bin, bin_reason as "binReason", latency_ms as "latencyMs" from inserted`;
  const { rows: added } = await client.query<NewPrediction>(
    planned(client, 'record-predictions', inserting, [
      JSON.stringify(rows),
      by.hostname,
      by.pipeline,
      by.topic,
      bins?.version ?? null,
      deadlineMs,
      bins?.table.rules.manual ?? manualBin,
      by.publish,
    ]),
  );
  return added;
}

/** Of the dead letters in one statement: as many, and together so many bytes of messages, or one letter. */
const lettersAtOnce = 1000;
const letterBytesAtOnce = 4 * 1024 * 1024;

/** Returns how many were new. */
export async function insertLetters(
  client: PoolClient,
  by: RecordedBy,
  letters: readonly DeadLetter[],
): Promise<number> {
  let inserted = 0;
  for (const some of byBytes(letters)) {
    const rows = some.map((letter, n) => ({
      n,
      request_id: letter.requestId,
      image_key: letter.imageKey,
      partition: letter.record.partition,
      offset: letter.record.offset,
      message_key: letter.record.key?.toString('base64'),
      message_value: letter.record.value?.toString('base64'),
      headers: recordableHeaders(letter.record.headers),
      stage: letter.stage,
      code: letter.code,
      message: recordable(letter.message),
      belt: letter.belt,
      traceparent: letter.traceparent,
    }));
    const { rowCount } = await client.query(
      `with inserted as (
         insert into dead_letters (pipeline, request_id, image_key, topic, partition, "offset", message_key,
           message_value, headers, stage, code, message, hostname, belt, traceparent)
         select $2, request_id, image_key, $3, partition, "offset", decode(message_key, 'base64'),
           decode(message_value, 'base64'), headers, stage, code, message, $4, belt, traceparent
         from json_to_recordset($1::json) as r (n int, request_id text, image_key text, partition int, "offset" int8,
           message_key text, message_value text, headers jsonb, stage text, code text, message text, belt text,
           traceparent text)
         where not exists (select from prediction_results p where p.pipeline = $2 and p.request_id = r.request_id)
         -- The plan may join in any order; ids, and with them the outbox, follow the messages.
         order by n
         on conflict (pipeline, request_id) do nothing
         returning id, pipeline, request_id, image_key, topic, partition, "offset", stage, code, message, hostname,
           belt, traceparent, first_at
       ), told as (
         insert into outbox (pipeline, topic, partition, kind, record_key, payload)
         select pipeline, topic, partition, 'dead', image_key, ${deadMessage} from inserted where $5 order by id
       )
       select from inserted`,
      [JSON.stringify(rows), by.pipeline, by.topic, by.hostname, by.publish],
    );
    inserted += rowCount ?? 0;
  }
  return inserted;
}

function* byBytes(letters: readonly DeadLetter[]): Generator<DeadLetter[]> {
  let some: DeadLetter[] = [];
  let bytes = 0;
  for (const letter of letters) {
    const { key, value } = letter.record;
    const own = (key?.length ?? 0) + (value?.length ?? 0);
    if (some.length > 0 && (some.length === lettersAtOnce || bytes + own > letterBytesAtOnce)) {
      yield some;
      [some, bytes] = [[], 0];
    }
    some.push(letter);
    bytes += own;
  }
  if (some.length > 0) yield some;
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
  if (failures.length === 0) return;
  const latest = new Map<string, { times: number; image_key: string | null }>();
  for (const { requestId, stage, code, message, imageKey } of failures) {
    const before = latest.get(requestId);
    const row = { request_id: requestId, stage, code, message: recordable(message) };
    const image_key = imageKey ?? before?.image_key ?? null;
    latest.set(requestId, { ...row, image_key, times: (before?.times ?? 0) + 1 });
  }
  await client.query(
    `update dead_letters d set attempts = attempts + r.times, last_at = clock_timestamp(), stage = r.stage,
       code = r.code, message = r.message, hostname = $3, image_key = coalesce(r.image_key, d.image_key)
     from json_to_recordset($1::json) as r (request_id text, times int, stage text, code text, message text,
       image_key text)
     where d.pipeline = $2 and d.request_id = r.request_id`,
    [JSON.stringify([...latest.values()]), by.pipeline, by.hostname],
  );
}

const largestReal = 3.4028234663852886e38;

/** As PostgreSQL's `real` holds it: a model's own number is one, and no other is to cost a row. */
function inReal(value: number): number {
  return Math.min(Math.fround(value), largestReal);
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
