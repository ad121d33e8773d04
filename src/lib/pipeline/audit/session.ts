/** The audit's own connection: what it compares lies in temporary tables there, not in this process. */
import type { Pool, QueryResult, QueryResultRow } from 'pg';
import { VisionscaleError } from '../../base/errors.ts';
import { databaseErrorOrSame } from '../../systems/database/database-error.ts';
import { begin, sessionError, sessionOf } from '../../systems/database/session.ts';

export interface AuditSession extends AsyncDisposable {
  /** Throws a DatabaseError, or `interrupted` where the signal has aborted: a query under way is cancelled then. */
  query<Row extends QueryResultRow>(text: string, values?: unknown[]): Promise<QueryResult<Row>>;
}

/** Memory for one sort or join; the rest of it goes to the server's disk. */
const setUp = `
set work_mem = '32MB';
create temporary table audit_began as select clock_timestamp() as at;
create temporary table audit_topic (
  partition int, "offset" int8, timestamp_ms int8, nth int, request_id text, image_key text, message_id text,
  place_id text, digest bytea, is_json boolean);
create temporary table audit_partitions (
  partition int, first_offset int8, end_offset int8, start_offset int8, stale_offset int8, since timestamptz);
create temporary table audit_found (
  n int8 generated always as identity, class text, kind text, image_key text, request_id text,
  partition int, "offset" int8, count int8);
create temporary table audit_gone (image_key text, young boolean);
create temporary table audit_unlisted (image_key text);
`;

/**
 * From here on "young" is what was written after the session was opened. A pooler would give every statement another
 * session, without the tables: there all of it is one transaction, in which each statement still sees its own moment.
 */
export async function openSession(pool: Pool, signal: AbortSignal): Promise<AuditSession> {
  const client = await pool.connect().catch((error: unknown) => {
    throw databaseErrorOrSame(error);
  });
  // Without a listener the loss of the connection between two queries would end the process.
  const ignore = () => undefined;
  client.on('error', ignore);
  let pid: number | undefined;
  const cancel = () => {
    if (pid !== undefined) pool.query('select pg_cancel_backend($1)', [pid]).catch(ignore);
  };
  signal.addEventListener('abort', cancel);

  async function query<Row extends QueryResultRow>(text: string, values?: unknown[]) {
    throwIfInterrupted(signal);
    try {
      return await client.query<Row>(text, values);
    } catch (error) {
      throwIfInterrupted(signal);
      throw sessionError(pool, error);
    }
  }

  let closed = false;
  const session: AuditSession = {
    query,
    [Symbol.asyncDispose]() {
      if (!closed) {
        closed = true;
        signal.removeEventListener('abort', cancel);
        client.release(true); // its end drops the temporary tables
      }
      return Promise.resolve();
    },
  };
  try {
    const pooled = sessionOf(pool)?.pooled === true;
    await query(pooled ? `${begin(pool, { idleMs: 0 })}; ${setUp.replace(/^set /m, 'set local ')}` : setUp);
    pid = (await query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid;
    return session;
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

/** Throws `interrupted` (exit code 130). */
export function throwIfInterrupted(signal: AbortSignal): void {
  if (signal.aborted) throw new VisionscaleError('the audit was interrupted', { code: 'interrupted' });
}
