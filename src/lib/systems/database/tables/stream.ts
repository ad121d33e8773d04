/** Reads a table of outcomes as a stream that skips no row, in whatever order their transactions commit. */
import type { Pool, QueryResultRow } from 'pg';
import type { Patience } from '../../../base/flow/retry.ts';
import { pause } from '../../../base/flow/waiting.ts';

/** A place in the stream: everything up to it was handed out. `tx` is a transaction id of the server, in digits. */
export interface StreamPlace {
  tx: string;
  row: number;
}

export type Streamed<Row> = Row & { place: StreamPlace };

export interface StreamPage<Row> {
  /** Oldest first. */
  rows: Streamed<Row>[];
  /** Where the next page begins: past rows that were not asked for too. */
  upTo: StreamPlace;
}

/** Behind everything that the stream shows by now. */
export async function streamEnd(pool: Pool): Promise<StreamPlace> {
  const { rows } = await pool.query<StreamPlace>(
    'select pg_snapshot_xmin(pg_current_snapshot())::text as tx, 0 as row',
  );
  return rows[0]!;
}

/** What is read: rows of a table with `tx` and `id` for which the condition on `values` holds. */
export interface StreamQuery {
  columns: string;
  table: 'prediction_results' | 'dead_letters';
  condition: string;
  values: readonly unknown[];
}

/**
 * At most `limit` of what comes after `place`. Shows rows only when every older transaction has ended, so that none that
 * commits late is passed by: a long transaction anywhere on the server holds the stream up for as long as it runs.
 */
export async function rowsAfter<Row extends QueryResultRow>(
  pool: Pool,
  { columns, table, condition, values }: StreamQuery,
  place: StreamPlace,
  limit: number,
): Promise<StreamPage<Row>> {
  const [tx, row, most] = [1, 2, 3].map((n) => `$${values.length + n}`);
  const { rows: found } = await pool.query<Row & { xmin: string; tx: string; row: number | null }>(
    `with shown as materialized (select pg_snapshot_xmin(pg_current_snapshot()) as xmin)
     select xmin::text, r.* from shown left join lateral (
       select tx, id as row, ${columns} from ${table}
       where (tx, id) > (${tx}::xid8, ${row}::int8) and tx < shown.xmin and ${condition}
       order by tx, id limit ${most}) as r on true
     order by r.tx, row`,
    [...values, place.tx, place.row, limit],
  );
  const rows: Streamed<Row>[] = [];
  for (const { xmin: _, tx: its, row: id, ...rest } of found) {
    if (id !== null) rows.push({ ...(rest as unknown as Row), place: { tx: its, row: id } });
  }
  const seen = { tx: found[0]!.xmin, row: 0 };
  const upTo = rows.length < limit ? seen : rows.at(-1)!.place;
  // A place from before a restore may lie ahead of the server's own count.
  return { rows, upTo: isAfter(upTo, place) ? upTo : place };
}

/** How often new rows are looked for, in milliseconds, and how many at a time. */
const lookMs = 500;
const pageSize = 500;

/**
 * Each row that is written from now on, until the signal; `onBegun` is called when it begins. A
 * database that goes away is met with `patiently`, and nothing is passed over.
 */
export async function* rowsFromNow<Row>(
  pool: Pool,
  after: (place: StreamPlace, limit: number) => Promise<StreamPage<Row>>,
  { patiently, signal, onBegun }: { patiently: Patience; signal: AbortSignal; onBegun?: () => void },
): AsyncGenerator<Streamed<Row>> {
  try {
    let place = await patiently(() => streamEnd(pool));
    onBegun?.();
    while (!signal.aborted) {
      const page = await patiently(() => after(place, pageSize));
      place = page.upTo;
      yield* page.rows;
      if (page.rows.length < pageSize) await pause(lookMs, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Whether `a` comes after `b`. */
export function isAfter(a: StreamPlace, b: StreamPlace): boolean {
  const [ours, theirs] = [BigInt(a.tx), BigInt(b.tx)];
  return ours === theirs ? a.row > b.row : ours > theirs;
}
