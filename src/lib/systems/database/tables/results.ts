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
  /** Only what is unknown, or only what is not. */
  unknown?: boolean | undefined;
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
  where('(coalesce(novelty, 0) >= 1) = ?', filter.unknown);
  where('id < ?', page.before);
  const { rows } = await pool.query<PagedResult>(
    `select id as row, ${resultMessage} as result from prediction_results
     where ${conditions.join(' and ')} order by id desc limit $${values.length + 1}`,
    [...values, page.limit],
  );
  return rows;
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
