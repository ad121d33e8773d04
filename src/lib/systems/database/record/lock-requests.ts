/** Makes transactions that bring an outcome for the same request wait for each other, in whatever partitions it was. */
import type { PoolClient } from 'pg';

export interface KnownLetter {
  state: 'open' | 'resolved' | 'dropped';
  attempts: number;
  /** SHA-256 of the message's value in hex, where it was asked for. */
  digest?: string | null;
}

export interface RequestsToLock {
  /** Of the outcomes to be recorded. */
  requestIds: readonly string[];
  /** Under which a message may have ended as a whole. Nobody but the owner of its partition records for it. */
  messageIds?: readonly string[];
  /** Of retries: the digest is needed. */
  retriedIds?: readonly string[];
}

/**
 * Most requests of a transaction that are locked one by one: what a full group of ordinary messages asks for. PostgreSQL
 * has room for 64 locks a connection with its defaults, for tables and indexes too.
 */
export const mostRequestLocks = 32;

/**
 * Until the end of the transaction nobody else can record for these requests, nor drop or resolve their dead letters.
 * Returns the dead letters there are, by request id.
 *
 * A transaction shares the lock of its pipeline and takes one for each request; one with more requests than that takes
 * the pipeline's lock for itself instead, so that no message, however much it asks for, fills the server's lock table.
 * The pipeline's comes first, the others in the order of their numbers, so that two transactions never wait for one
 * another; they are a statement of their own, for the next one has to see what the transaction waited for has left.
 */
export async function lockRequests(
  client: PoolClient,
  pipeline: string,
  { requestIds, messageIds = [], retriedIds = [] }: RequestsToLock,
): Promise<Map<string, KnownLetter>> {
  const known = [...new Set([...requestIds, ...messageIds])];
  if (known.length === 0) return new Map();
  const ids = [...new Set(requestIds)];
  const whole = ids.length > mostRequestLocks;
  await client.query(
    `with numbers as materialized (
       select 0 as rank, hashtextextended('requests of ' || $1, 0) as number
       union
       select 1, hashtextextended('request ' || $1 || ' ' || id, 0) from unnest($2::text[]) as ids (id)
       order by rank, number)
     select count(case when rank = 0 and not $3 then pg_advisory_xact_lock_shared(number)
       else pg_advisory_xact_lock(number) end) from numbers`,
    [pipeline, whole ? [] : ids, whole],
  );
  const { rows } = await client.query<KnownLetter & { requestId: string }>(
    `select request_id as "requestId", state, attempts,
       case when request_id = any($3) then encode(sha256(coalesce(message_value, '')), 'hex') end as digest
     from dead_letters where pipeline = $1 and request_id = any($2) order by id for update`,
    [pipeline, known, retriedIds],
  );
  return new Map(rows.map(({ requestId, ...letter }) => [requestId, letter]));
}
