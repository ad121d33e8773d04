/** Reads outcomes for programs: by request id, in pages back in time, and as a stream. */
import type { Pool } from 'pg';
import type { RequestOutcome, Result } from '../../../base/results.ts';
import { resultMessage } from './outbox.ts';
import { rowsAfter, type Streamed, type StreamPage, type StreamPlace } from './stream.ts';

export type { RequestOutcome, Result } from '../../../base/results.ts';

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

/** What a result's row says beside the result. */
export interface ResultDetails {
  /** Milliseconds by stage: fetch, decode, preprocess, infer. */
  stages: Record<string, number>;
  message: { topic: string; partition: number; offset: number };
  /** Request ids of the results just before and after it; null: there is none near it. */
  previous: string | null;
  next: string | null;
}

/** Ids among which a neighbour is looked for: those between may be of other pipelines, or gone. */
const neighbourhood = 1000;

/** Null where there is no result. */
export async function readResultDetails(
  pool: Pool,
  pipeline: string,
  requestId: string,
): Promise<ResultDetails | null> {
  const near = 'select request_id from prediction_results where pipeline = $1 and id';
  const { rows } = await pool.query<ResultDetails>(
    `select stages, jsonb_build_object('topic', topic, 'partition', partition, 'offset', "offset") as message,
       (${near} between r.id - $3 and r.id - 1 order by id desc limit 1) as previous,
       (${near} between r.id + 1 and r.id + $3 order by id limit 1) as next
     from prediction_results r where pipeline = $1 and request_id = $2`,
    [pipeline, requestId, neighbourhood],
  );
  return rows[0] ?? null;
}

/** All that is given has to hold. */
export interface ResultFilter {
  /** The image key. */
  key?: string | undefined;
  category?: string | undefined;
  bin?: string | undefined;
  /** `name` or `name@version`. */
  model?: string | undefined;
  belt?: string | undefined;
  /** The consumer's host. */
  consumer?: string | undefined;
  since?: Date | undefined;
  until?: Date | undefined;
  /** Confidence below this, in percent. */
  below?: number | undefined;
  /** Confidence of this or more, in percent. */
  above?: number | undefined;
  /** Only what is unknown, or only what is not. */
  unknown?: boolean | undefined;
}

/** Of a row, in the order in which results are read: its time in microseconds since 1970, and its id. */
export interface ResultPlace {
  time: number;
  row: number;
}

export interface ResultPage {
  results: Result[];
  /** The next page begins behind it; null: there is nothing more. */
  next: ResultPlace | null;
  /** Up to where was looked, if the search stopped before it had found as many as asked for. */
  lookedBackTo: Date | null;
}

interface PageWanted {
  /** Null: the latest. */
  before: ResultPlace | null;
  limit: number;
}

/**
 * Rows that a search looks at. Nearly all are answered by few, and for few PostgreSQL walks along an index instead of
 * gathering and sorting all that it leads to; for what is rare a table of millions would be read.
 */
const rowsLookedAt = { few: 1000, most: 50_000 };

/**
 * Latest first. Time, key and category have an index; the other filters choose among the rows that these lead to, of which
 * no more than so many are looked at.
 */
export async function readResultPage(
  pool: Pool,
  pipeline: string,
  filter: ResultFilter,
  wanted: PageWanted,
  { few, most } = rowsLookedAt,
): Promise<ResultPage> {
  const near = await lookThrough(pool, pipeline, filter, wanted, few);
  return near.lookedBackTo === null ? near : lookThrough(pool, pipeline, filter, wanted, most);
}

async function lookThrough(
  pool: Pool,
  pipeline: string,
  filter: ResultFilter,
  { before, limit }: PageWanted,
  most: number,
): Promise<ResultPage> {
  const values: unknown[] = [];
  const holds = (...conditions: [string, ...unknown[]][]) =>
    conditions
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([condition, ...given]) => condition.replaceAll('?', () => `$${values.push(given.shift())}`))
      .join(' and ') || 'true';
  const indexed = holds(
    ['image_key = ?', filter.key],
    ['category = ?', filter.category],
    ['time >= ?', filter.since],
    ['time < ?', filter.until],
    [`(time, id) < (timestamptz 'epoch' + ? * interval '1 microsecond', ?)`, before?.time, before?.row],
  );
  const wanted = holds(
    ['pipeline = ?', pipeline],
    ['bin = ?', filter.bin],
    ["? in (model, model || '@' || model_version)", filter.model],
    ['belt = ?', filter.belt],
    ['hostname = ?', filter.consumer],
    ['confidence < ?', filter.below],
    ['confidence >= ?', filter.above],
    ['(coalesce(novelty, 0) >= 1) = ?', filter.unknown],
  );
  const [last, count] = [most, limit + 1].map((value) => `$${values.push(value)}`);
  // The last row looked at comes too, wanted or not, for it tells where to go on.
  const { rows } = await pool.query<LookedAt>(
    `select fits, nth, (extract(epoch from time) * 1000000)::int8 as micros, id as row, ${resultMessage} as result
     from (select *, ${wanted} as fits, row_number() over (order by time desc, id desc) as nth
       from (select * from prediction_results where ${indexed} order by time desc, id desc limit ${last}) as near) as r
     where fits or nth = ${last} order by time desc, id desc limit ${count}`,
    values,
  );
  const found = rows.filter(({ fits }) => fits);
  const results = found.slice(0, limit).map(({ result }) => result);
  if (found.length > limit) return { results, next: placeOf(found[limit - 1]!), lookedBackTo: null };
  const end = rows.find(({ nth }) => nth === most);
  if (end === undefined) return { results, next: null, lookedBackTo: null };
  const lookedBackTo = found.length < limit ? new Date(end.micros / 1000) : null;
  return { results, next: placeOf(end), lookedBackTo };
}

interface LookedAt {
  fits: boolean | null;
  nth: number;
  micros: number;
  row: number;
  result: Result;
}

function placeOf({ micros, row }: LookedAt): ResultPlace {
  return { time: micros, row };
}

export type StreamedResult = Streamed<{ result: Result }>;

/** The stream of a pipeline's results: see `rowsAfter`. */
export async function resultsAfter(
  pool: Pool,
  pipeline: string,
  place: StreamPlace,
  limit: number,
): Promise<StreamPage<{ result: Result }>> {
  const query = {
    columns: `${resultMessage} as result`,
    table: 'prediction_results',
    condition: 'pipeline = $1',
    values: [pipeline],
  } as const;
  return rowsAfter<{ result: Result }>(pool, query, place, limit);
}
