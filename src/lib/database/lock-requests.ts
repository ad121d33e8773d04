/** Makes transactions that bring an outcome for the same request wait for each other, in whatever partitions it was. */
import type { PoolClient } from 'pg';

export interface KnownLetter {
  state: 'open' | 'resolved' | 'dropped';
  attempts: number;
}

/**
 * Until the end of the transaction nobody else can record for these requests, nor drop or resolve their dead letters.
 * Returns the dead letters there are, by request id.
 *
 * The advisory locks are taken in the order of their numbers, so that two transactions never wait for one another; they
 * are a statement of their own, for the next one has to see what the transaction waited for has left.
 */
export async function lockRequests(
  client: PoolClient,
  pipeline: string,
  requestIds: readonly string[],
): Promise<Map<string, KnownLetter>> {
  if (requestIds.length === 0) return new Map();
  await client.query(
    `with numbers as materialized (
       select distinct hashtextextended('request ' || $1 || ' ' || id, 0) as number from unnest($2::text[]) as ids (id)
       order by number)
     select count(pg_advisory_xact_lock(number)) from numbers`,
    [pipeline, requestIds],
  );
  const { rows } = await client.query<KnownLetter & { requestId: string }>(
    `select request_id as "requestId", state, attempts from dead_letters
     where pipeline = $1 and request_id = any($2) order by id for update`,
    [pipeline, requestIds],
  );
  return new Map(rows.map(({ requestId, ...letter }) => [requestId, letter]));
}
