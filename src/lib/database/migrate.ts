/** Brings the schema up to date: versioned SQL migrations, safe to run twice or from two hosts at once. */
import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { DatabaseError } from '../errors.ts';
import { databaseCode, toDatabaseError } from './database-error.ts';

export { createDatabaseIfMissing } from './create.ts';

/** The same directory from src/lib/database and from dist/lib/database. */
export const migrationsDirectory = fileURLToPath(
  new URL('../../../src/lib/database/migrations', import.meta.url),
);

const table = 'schema_migrations';
/** Advisory lock of all visionscale migrations in a database; any constant will do, as long as it stays. */
const lockId = '8317462093541';

export interface MigrateOptions {
  /** How long to wait for another host that is migrating, ms. */
  lockTimeoutMs?: number;
  /** Another directory of migrations: for tests. */
  directory?: string;
}

/** Applies what is missing, in one transaction. Throws DatabaseError: `migration_locked`, `migration_failed`. */
export async function migrate(pool: pg.Pool, options: MigrateOptions = {}): Promise<{ applied: string[] }> {
  const { runner } = await import('node-pg-migrate');
  const client = await pool.connect().catch((error: unknown) => {
    throw toDatabaseError(error);
  });
  client.on('error', () => undefined);
  // Lock and migrations share one session: should it be lost, neither outlives the other.
  try {
    await lock(client, options.lockTimeoutMs ?? 60_000);
    const applied = await runner({
      dbClient: client,
      dir: options.directory ?? migrationsDirectory,
      ignorePattern: '(?!.*\\.sql$).*',
      migrationsTable: table,
      direction: 'up',
      singleTransaction: true,
      noLock: true,
      logger: silent,
    });
    return { applied: applied.map(({ name }) => name) };
  } catch (error) {
    throw migrationError(error);
  } finally {
    // Closing the session releases the lock, and whatever a migration has SET.
    client.release(true);
  }
}

/** The migrations that the code has and the database has not, oldest first: empty means up to date. */
export async function pendingMigrations(pool: pg.Pool): Promise<string[]> {
  const applied = new Set(await appliedMigrations(pool));
  const files = (await readdir(migrationsDirectory)).filter((file) => file.endsWith('.sql')).sort();
  return files.map((file) => file.slice(0, -'.sql'.length)).filter((name) => !applied.has(name));
}

/** The last migration applied, or null in an empty database. */
export async function schemaVersion(pool: pg.Pool): Promise<string | null> {
  return (await appliedMigrations(pool)).at(-1) ?? null;
}

/** Throws DatabaseError `schema_outdated` unless every migration has been applied. */
export async function requireCurrentSchema(pool: pg.Pool): Promise<void> {
  const pending = await pendingMigrations(pool);
  if (pending.length === 0) return;
  throw new DatabaseError(`the database lacks ${pending.length} schema change(s): ${pending.join(', ')}`, {
    code: 'schema_outdated',
    hint: 'Run: visionscale init',
  });
}

async function appliedMigrations(pool: pg.Pool): Promise<string[]> {
  try {
    const { rows } = await pool.query<{ name: string }>(
      `SELECT name FROM public.${table} ORDER BY run_on, id`,
    );
    return rows.map(({ name }) => name);
  } catch (error) {
    if (databaseCode(error) === '42P01') return [];
    throw toDatabaseError(error);
  }
}

/** Tries again and again instead of blocking in pg_advisory_lock, whose snapshot would hold back vacuum. */
async function lock(client: pg.PoolClient, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const { rows } = await client.query<{ held: boolean }>('SELECT pg_try_advisory_lock($1) AS held', [
      lockId,
    ]);
    if (rows[0]?.held) return;
    if (performance.now() > deadline) {
      throw new DatabaseError(`another process has been migrating this database for ${timeoutMs / 1000} s`, {
        code: 'migration_locked',
        retryable: true,
        hint: `Wait for it, or end it. To see who it is: SELECT pid FROM pg_locks WHERE locktype = 'advisory'`,
      });
    }
    await sleep(50);
  }
}

function migrationError(error: unknown): DatabaseError {
  const mapped = toDatabaseError(error);
  if (mapped === error || mapped.retryable) return mapped;
  return new DatabaseError(`a schema change failed and was rolled back: ${mapped.message}`, {
    code: 'migration_failed',
    ...(mapped.hint !== undefined && mapped.code !== 'schema_missing' && { hint: mapped.hint }),
    cause: error,
  });
}

const nothing = () => undefined;
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };
