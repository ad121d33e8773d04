/** One database transaction: all of `work`, or nothing of it. */
import type pg from 'pg';
import { DatabaseError } from '../../base/errors.ts';
import { toDatabaseError } from './database-error.ts';
import { begin, type BeginOptions, sessionError } from './session.ts';

/** Without a listener the loss of a connection that is idle in a transaction would end the process. */
const ignore = () => undefined;

/**
 * Runs `work` between BEGIN and COMMIT on one connection of the pool. Its error is thrown on after ROLLBACK, PostgreSQL's
 * own as a DatabaseError; a connection whose state is in doubt is closed rather than given back.
 *
 * The server gives up a process that is silent in the middle of it, and it is the same whatever role, database or pooler
 * have set otherwise (session.ts).
 */
export async function withTransaction<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
  options?: BeginOptions,
): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw toDatabaseError(error);
  });
  client.on('error', ignore);
  let inDoubt = true;
  try {
    try {
      await client.query(begin(pool, options));
      const result = await work(client);
      const { command } = await client.query('COMMIT');
      inDoubt = false;
      // PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK, not with an error.
      if (command !== 'COMMIT') {
        throw new DatabaseError('the transaction was rolled back: one of its statements had failed', {
          code: 'transaction_rolled_back',
        });
      }
      return result;
    } catch (cause) {
      const error = sessionError(pool, cause);
      const code = error instanceof DatabaseError ? error.code : '';
      // A demoted or stopping server would answer the ROLLBACK and be asked again.
      const leaving = ['database_read_only', 'database_restarting'].includes(code);
      // One that has gone silent would only be waited for once more; the end of the connection rolls back.
      const silent = ['database_timeout', 'database_unreachable'].includes(code);
      if (inDoubt && !silent) {
        await client.query('ROLLBACK').then(() => (inDoubt = leaving), ignore);
      }
      throw error;
    }
  } finally {
    client.off('error', ignore);
    client.release(inDoubt);
  }
}
