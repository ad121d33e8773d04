/** Reads outcomes for programs: by request id, in pages back in time, and as a stream that skips no row. */
import type { Pool } from 'pg';
import type { Score } from '../../../base/classification.ts';
import { resultMessage } from './outbox.ts';

/** A prediction as other programs see it, here and in the results topic. Times are ISO 8601 in UTC; confidence in percent. */
export interface Result {
  /** The request id. */
  id: string;
  imageKey: string;
  category: string;
  confidence: number;
  top: Score[];
  bin: string | null;
  binReason: string | null;
  binVersion: number | null;
  model: { name: string; version: string; digest: string };
  /** From capture to the row, in milliseconds. */
  latencyMs: number | null;
  capturedAt: string | null;
  processedAt: string;
  belt: string | null;
  hostname: string;
  pipeline: string;
  traceparent: string | null;
}

/** Why a request can never become a prediction. */
export interface FailedRequest {
  code: string;
  message: string;
  stage: string;
  /** ISO 8601. */
  at: string;
}

export type RequestOutcome =
  | { kind: 'result'; id: string; imageKey: string; result: Result }
  | { kind: 'failure'; id: string; imageKey: string | null; failure: FailedRequest };

/** The outcomes there are by now, in no order. A dead letter that a retry has resolved is a result. */
export async function findOutcomes(
  pool: Pool,
  pipeline: string,
  ids: readonly string[],
): Promise<RequestOutcome[]> {
  const { rows } = await pool.query<RequestOutcome>(
    `select 'result' as kind, request_id as id, image_key as "imageKey", ${resultMessage} as result, null as failure
     from prediction_results where pipeline = $1 and request_id = any($2)
     union all
     select 'failure', request_id, image_key, null,
       jsonb_build_object('code', code, 'message', message, 'stage', stage, 'at', to_char(last_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
     from dead_letters where pipeline = $1 and request_id = any($2) and state <> 'resolved'`,
    [pipeline, ids],
  );
  return rows;
}

/** All that is given has to hold. */
export interface ResultFilter {
  category?: string | undefined;
  bin?: string | undefined;
  model?: string | undefined;
  belt?: string | undefined;
  since?: Date | undefined;
  until?: Date | undefined;
  /** Confidence below this, in percent. */
  below?: number | undefined;
}

export interface PagedResult {
  /** Of the row: where the next page begins. */
  row: number;
  result: Result;
}

/** Latest first, older than the row `before`. Throws `database_timeout` where no index helps a filter in time. */
export async function readResultPage(
  pool: Pool,
  pipeline: string,
  filter: ResultFilter,
  page: { before: number | null; limit: number },
): Promise<PagedResult[]> {
  const conditions = ['pipeline = $1'];
  const values: unknown[] = [pipeline];
  const where = (condition: string, value: unknown) => {
    if (value === undefined || value === null) return;
    values.push(value);
    conditions.push(condition.replace('?', `$${values.length}`));
  };
  where('category = ?', filter.category);
  where('bin = ?', filter.bin);
  where('model = ?', filter.model);
  where('belt = ?', filter.belt);
  where('time >= ?', filter.since);
  where('time < ?', filter.until);
  where('confidence < ?', filter.below);
  where('id < ?', page.before);
  const { rows } = await pool.query<PagedResult>(
    `select id as row, ${resultMessage} as result from prediction_results
     where ${conditions.join(' and ')} order by id desc limit $${values.length + 1}`,
    [...values, page.limit],
  );
  return rows;
}

/** A place in the stream: everything up to it was handed out. `tx` is a transaction id of the server, in digits. */
export interface ResultPlace {
  tx: string;
  row: number;
}

export interface StreamedResult {
  place: ResultPlace;
  result: Result;
}

/** Behind everything that the stream shows by now. */
export async function streamEnd(pool: Pool): Promise<ResultPlace> {
  const { rows } = await pool.query<ResultPlace>(
    'select pg_snapshot_xmin(pg_current_snapshot())::text as tx, 0 as row',
  );
  return rows[0]!;
}

export interface StreamPage {
  /** Oldest first. */
  results: StreamedResult[];
  /** Where the next page begins: past other pipelines' rows too. */
  upTo: ResultPlace;
}

/**
 * At most `limit` of what comes after `place`. Shows rows only when every older transaction has ended, so that none that
 * commits late is passed by: a long transaction anywhere on the server holds the stream up for as long as it runs.
 */
export async function resultsAfter(
  pool: Pool,
  pipeline: string,
  place: ResultPlace,
  limit: number,
): Promise<StreamPage> {
  const { rows } = await pool.query<{ xmin: string; tx: string; row: number | null; result: Result }>(
    `with shown as materialized (select pg_snapshot_xmin(pg_current_snapshot()) as xmin)
     select xmin::text, tx::text, row, result from shown left join lateral (
       select tx, id as row, ${resultMessage} as result from prediction_results
       where (tx, id) > ($2::xid8, $3::int8) and tx < shown.xmin and pipeline = $1
       order by tx, id limit $4) as r on true
     order by r.tx, row`,
    [pipeline, place.tx, place.row, limit],
  );
  const results = rows.flatMap(({ tx, row, result }) =>
    row === null ? [] : [{ place: { tx, row }, result }],
  );
  const seen = { tx: rows[0]!.xmin, row: 0 };
  const upTo = results.length < limit ? seen : results.at(-1)!.place;
  // A place from before a restore may lie ahead of the server's own count.
  return { results, upTo: isAfter(upTo, place) ? upTo : place };
}

/** Whether `a` comes after `b`. */
export function isAfter(a: ResultPlace, b: ResultPlace): boolean {
  const [ours, theirs] = [BigInt(a.tx), BigInt(b.tx)];
  return ours === theirs ? a.row > b.row : ours > theirs;
}
