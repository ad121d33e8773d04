/** Creates the database itself where it is missing, and says what to run where that is not allowed. */
import pg from 'pg';
import { DatabaseError } from '../../base/errors.ts';
import { Client, describeConnection, eitherWay, resolveConnection } from './connection.ts';
import type { ResolvedConnection, ServerConnection } from './connection.ts';
import { databaseCode, toDatabaseError } from './database-error.ts';

/** Another host has just created it: duplicate_database, or unique_violation where both were at it at once. */
const alreadyThere = ['42P04', '23505'];

/** Longest wait for one connection, ms. */
const connectTimeout = 10_000;
/** PgBouncer tries a server that refused it again after 15 s (server_login_retry), and keeps its clients waiting, ms. */
const newTimeout = 40_000;

async function withClient<T>(
  connection: ResolvedConnection,
  work: (client: pg.Client) => Promise<T>,
  connectionTimeoutMillis = connectTimeout,
): Promise<T> {
  return eitherWay(connection, async (oneWay) => {
    const client = new Client({ connectionTimeoutMillis, ...oneWay });
    client.on('error', () => undefined);
    try {
      await client.connect();
    } catch (error) {
      client.cut();
      throw error;
    }
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  });
}

/** Told by the server, or by a pooler in words of its own. */
function isMissing(error: unknown): boolean {
  return toDatabaseError(error).code === 'database_missing';
}

/** Runs on the first of the databases that every server has; `postgres` may have been dropped. */
async function onMaintenanceDatabase(connection: ResolvedConnection, sql: string): Promise<void> {
  const run = (database: string) => withClient({ ...connection, database }, (client) => client.query(sql));
  try {
    await run('postgres');
  } catch (error) {
    if (!isMissing(error)) throw error;
    await run('template1');
  }
}

/**
 * Connects; where the database does not exist, creates it (UTF-8). Safe from two hosts at once. Throws DatabaseError:
 * `cannot_create_database`, whose hint is the SQL to run, or what `toDatabaseError` makes of a failed connection.
 */
export async function createDatabaseIfMissing(config: ServerConnection): Promise<{ created: boolean }> {
  const connection = resolveConnection(config);
  const where = describeConnection(connection);
  try {
    await withClient(connection, () => Promise.resolve());
    return { created: false };
  } catch (error) {
    if (!isMissing(error)) throw toDatabaseError(error, where);
  }
  // template0: nobody can be connected to it, which would make CREATE DATABASE fail.
  const name = pg.escapeIdentifier(connection.database);
  const sql = `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`;
  try {
    await onMaintenanceDatabase(connection, sql);
    await withClient(connection, () => Promise.resolve(), newTimeout);
    return { created: true };
  } catch (error) {
    const code = databaseCode(error);
    if (code !== undefined && alreadyThere.includes(code)) return { created: false };
    const reason = toDatabaseError(error, where);
    if (reason.retryable) throw reason;
    const owner = connection.user === undefined ? '' : ` OWNER ${pg.escapeIdentifier(connection.user)}`;
    throw new DatabaseError(`${where} does not exist and could not be created: ${reason.message}`, {
      code: 'cannot_create_database',
      hint: `Have an administrator run:\n  CREATE DATABASE ${name}${owner} TEMPLATE template0 ENCODING 'UTF8';`,
      cause: error,
    });
  }
}

/** Removes the database with everything in it, also while others are connected to it; without one nothing happens. */
export async function dropDatabase(config: ServerConnection): Promise<void> {
  const connection = resolveConnection(config);
  const name = pg.escapeIdentifier(connection.database);
  await onMaintenanceDatabase(connection, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
}
