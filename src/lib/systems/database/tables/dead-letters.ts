/** The table dead_letters for `dead-letters`: pages of a selection, the stream of new ones, marks of retries, drops. */
import type { Pool } from 'pg';
import type { Retried } from '../../message/retry.ts';
import { rowsAfter, type StreamPage, type StreamPlace } from './stream.ts';

export type LetterState = 'open' | 'resolved' | 'dropped';

/** All that is given has to hold. */
export interface Selection {
  pipeline: string;
  ids?: readonly number[];
  code?: string;
  stage?: string;
  /** By the time of the last failure. */
  since?: Date;
  until?: Date;
  state?: LetterState;
}

export interface LetterRow {
  id: number;
  state: LetterState;
  stage: string;
  code: string;
  message: string;
  imageKey: string | null;
  requestId: string;
  topic: string;
  partition: number;
  offset: number;
  attempts: number;
  hostname: string;
  firstAt: Date;
  lastAt: Date;
  retrySentAt: Date | null;
  closedAt: Date | null;
}

/** A letter with the message it came from. */
export interface FullLetter extends LetterRow {
  key: Buffer | null;
  headers: Record<string, string>;
  value: Buffer | null;
}

/** What `retry` needs of a letter. */
export interface RetryRow extends Retried {
  id: number;
}

const columns = `id, state, stage, code, message, image_key as "imageKey", request_id as "requestId", topic, partition,
  "offset", attempts, hostname, first_at as "firstAt", last_at as "lastAt", retry_sent_at as "retrySentAt",
  closed_at as "closedAt"`;

/** Takes the parameters $1 to $7. */
const selected = `pipeline = $1 and ($2::int8[] is null or id = any($2)) and ($3::text is null or code = $3)
  and ($4::text is null or stage = $4) and ($5::timestamptz is null or last_at >= $5)
  and ($6::timestamptz is null or last_at < $6) and ($7::text is null or state = $7)`;

function parameters({ pipeline, ids, code, stage, since, until, state }: Selection): unknown[] {
  return [pipeline, ids ?? null, code ?? null, stage ?? null, since ?? null, until ?? null, state ?? null];
}

/** How many there are, and the highest id among them: letters that come later are not part of the selection. */
export async function countLetters(
  pool: Pool,
  selection: Selection,
): Promise<{ letters: number; lastId: number }> {
  const { rows } = await pool.query<{ letters: number; lastId: number }>(
    `select count(*)::int8 as letters, coalesce(max(id), 0)::int8 as "lastId" from dead_letters where ${selected}`,
    parameters(selection),
  );
  return rows[0]!;
}

/** Whether a letter in any state has this code; if none has, the codes there are. */
export async function findCode(
  pool: Pool,
  pipeline: string,
  code: string,
): Promise<{ known: true } | { known: false; codes: string[] }> {
  const { rows: found } = await pool.query(
    'select from dead_letters where pipeline = $1 and code = $2 limit 1',
    [pipeline, code],
  );
  if (found.length > 0) return { known: true };
  const { rows } = await pool.query<{ code: string }>(
    'select distinct code from dead_letters where pipeline = $1 order by code',
    [pipeline],
  );
  return { known: false, codes: rows.map((row) => row.code) };
}

/** Latest first, those below id `before`. */
export async function letterPage(
  pool: Pool,
  selection: Selection,
  before: number,
  limit: number,
): Promise<LetterRow[]> {
  const { rows } = await pool.query<LetterRow>(
    `select ${columns} from dead_letters where ${selected} and id < $8 order by id desc limit $9`,
    [...parameters(selection), before, limit],
  );
  return rows;
}

/** The latest open ones of each code, `each` of them: together the latest first, and no more than `limit`. */
export async function latestOfEachCode(
  pool: Pool,
  pipeline: string,
  each: number,
  limit: number,
): Promise<LetterRow[]> {
  const { rows } = await pool.query<LetterRow>(
    `select ${columns} from dead_letters
     where id in (
       select id from (
         select id, row_number() over (partition by code order by id desc) as nth
         from dead_letters where pipeline = $1 and state = 'open') as ranked
       where nth <= $2)
     order by id desc limit $3`,
    [pipeline, each, limit],
  );
  return rows;
}

/** The stream of new letters, whatever becomes of them: see `rowsAfter`. */
export async function lettersAfter(
  pool: Pool,
  selection: Selection,
  place: StreamPlace,
  limit: number,
): Promise<StreamPage<LetterRow>> {
  const query = {
    columns,
    table: 'dead_letters',
    condition: selected,
    values: parameters(selection),
  } as const;
  return rowsAfter<LetterRow>(pool, query, place, limit);
}

/** The latest letter of an image; null where it has none. */
export async function latestLetterOf(
  pool: Pool,
  pipeline: string,
  imageKey: string,
): Promise<Pick<LetterRow, 'id' | 'state' | 'code' | 'message'> | null> {
  const { rows } = await pool.query<LetterRow>(
    `select id, state, code, message from dead_letters where pipeline = $1 and image_key = $2
     order by last_at desc, id desc limit 1`,
    [pipeline, imageKey],
  );
  return rows[0] ?? null;
}

/** The letter of a request, in whatever state; null where it has none. */
export async function letterOfRequest(
  pool: Pool,
  pipeline: string,
  requestId: string,
): Promise<LetterRow | null> {
  const { rows } = await pool.query<LetterRow>(
    `select ${columns} from dead_letters where pipeline = $1 and request_id = $2`,
    [pipeline, requestId],
  );
  return rows[0] ?? null;
}

export async function readLetter(pool: Pool, pipeline: string, id: number): Promise<FullLetter | null> {
  const { rows } = await pool.query<FullLetter>(
    `select ${columns}, message_key as key, headers, message_value as value from dead_letters
     where pipeline = $1 and id = $2`,
    [pipeline, id],
  );
  return rows[0] ?? null;
}

/** Which of these ids exist, and their state. */
export async function letterStates(
  pool: Pool,
  pipeline: string,
  ids: readonly number[],
): Promise<Map<number, LetterState>> {
  const { rows } = await pool.query<{ id: number; state: LetterState }>(
    'select id, state from dead_letters where pipeline = $1 and id = any($2::int8[])',
    [pipeline, ids],
  );
  return new Map(rows.map(({ id, state }) => [id, state]));
}

export interface PageBounds {
  /** Ids above this and up to `lastId`, in their order. */
  after: number;
  lastId: number;
  /** Most letters. */
  limit: number;
}

/** The next open letters of a selection; together no more than `maxBytes` of messages, or one letter. */
export async function retryPage(
  pool: Pool,
  selection: Selection,
  { after, lastId, limit }: PageBounds,
  maxBytes: number,
): Promise<RetryRow[]> {
  const { rows } = await pool.query<RetryRow>(
    `with page as (
       select id, row_number() over (order by id) as nth,
         sum(coalesce(octet_length(message_value), 0) + coalesce(octet_length(message_key), 0)) over (order by id) as bytes
       from (select * from dead_letters where ${selected} and id > $8 and id <= $9 order by id limit $10) as first)
     select d.id, d.request_id as "requestId", d.attempts, d.headers, d.message_key as key, d.message_value as value
     from page join dead_letters d using (id) where page.bytes <= $11 or page.nth = 1 order by d.id`,
    [...parameters({ ...selection, state: 'open' }), after, lastId, limit, maxBytes],
  );
  return rows;
}

/** The topic has these retries; whatever became of them meanwhile. */
export async function markRetrySent(pool: Pool, ids: readonly number[]): Promise<void> {
  await pool.query(
    `with sent as materialized (select id from dead_letters where id = any($1::int8[]) order by id for update)
     update dead_letters d set retry_sent_at = clock_timestamp() from sent where d.id = sent.id`,
    [ids],
  );
}

/** Drops the next open letters of a selection; returns their ids. A retry that is being recorded is waited for. */
export async function dropPage(
  pool: Pool,
  selection: Selection,
  { after, lastId, limit }: PageBounds,
): Promise<number[]> {
  const { rows } = await pool.query<{ id: number }>(
    `with next as materialized (select id from dead_letters where ${selected} and id > $8 and id <= $9
       order by id limit $10 for update)
     update dead_letters d set state = 'dropped', closed_at = clock_timestamp() from next where d.id = next.id
     returning d.id`,
    [...parameters({ ...selection, state: 'open' }), after, lastId, limit],
  );
  return rows.map(({ id }) => id);
}

/** Open ones by code, the most frequent first. */
export async function countOpenByCode(pool: Pool, pipeline: string): Promise<Record<string, number>> {
  const { rows } = await pool.query<{ code: string; letters: number }>(
    `select code, count(*)::int8 as letters from dead_letters where pipeline = $1 and state = 'open'
     group by code order by letters desc, code`,
    [pipeline],
  );
  return Object.fromEntries(rows.map(({ code, letters }) => [code, letters]));
}
