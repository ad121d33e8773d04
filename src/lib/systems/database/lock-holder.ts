/** Who holds an advisory lock: its numbers are no secret, so another program, or a person’s session, may be in the way. */
import type { Pool, PoolClient } from 'pg';
import { DatabaseError } from '../../base/errors.ts';
import { databaseCode } from './database-error.ts';
import { withTransaction } from './transaction.ts';

/** Longer than a frozen process keeps its locks (session.ts), ms. */
const lockMs = 5000;
const lockNotAvailable = '55P03';

/**
 * A transaction that holds the advisory lock of `name` from its beginning. Throws DatabaseError `lock_held`, which a
 * retry may help, where somebody else does not give it up: it says who.
 */
export async function underLock<T>(
  pool: Pool,
  name: string,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  try {
    return await withTransaction(
      pool,
      async (client) => {
        await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [name]);
        return work(client);
      },
      { lockMs },
    );
  } catch (error) {
    if (databaseCode(error) !== lockNotAvailable) throw error;
    const holder = await lockHolder(pool, { name }).catch(() => null);
    if (holder === null) throw error;
    throw new DatabaseError(`${describeHolder(holder)} holds the lock '${name}' and does not release it`, {
      code: 'lock_held',
      retryable: true,
      hint: `visionscale itself holds it only for moments. To end another program’s session: SELECT pg_terminate_backend(${holder.pid});`,
      cause: error,
    });
  }
}

export interface LockHolder {
  pid: number;
  role: string | null;
  application: string | null;
  /** Address of its host; null for a unix socket, or where this role may not see it. */
  host: string | null;
  /** Since it began what it does, or fell silent; null where this role may not see it. */
  seconds: number | null;
}

/** By the lock's name, or its number. Null where nobody holds it. */
export async function lockHolder(
  pool: Pool,
  lock: { name: string } | { key: string },
): Promise<LockHolder | null> {
  const named = 'name' in lock;
  const { rows } = await pool.query<LockHolder>(
    `with locks as (
       select pid, granted from pg_locks
       where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
         and objsubid = 1 and ((classid::int8 << 32) | objid::int8) = ${named ? 'hashtextextended($1, 0)' : '$1::int8'})
     select l.pid, a.usename as role, nullif(a.application_name, '') as application, host(a.client_addr) as host,
       extract(epoch from clock_timestamp() - coalesce(a.xact_start, a.state_change))::float8 as seconds
     from locks l left join pg_stat_activity a using (pid) where l.granted limit 1`,
    [named ? lock.name : lock.key],
  );
  return rows[0] ?? null;
}

/** `process 4711 (psql of role eve on 10.0.0.5)` */
export function describeHolder({ pid, role, application, host }: LockHolder): string {
  const who = [
    application ?? 'a session',
    ...(role === null ? [] : [`of role ${role}`]),
    ...(host === null ? [] : [`on ${host}`]),
  ];
  return `process ${pid} (${who.join(' ')})`;
}
