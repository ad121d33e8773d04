/** Brings the schema up to date: versioned SQL migrations, safe to run twice or from two hosts at once. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { DatabaseError } from '../../base/errors.ts';
import { waitUntilThere } from '../../base/flow/waiting.ts';
import { packageRoot } from '../../base/package.ts';
import { databaseCode, toDatabaseError } from './database-error.ts';
import { describeHolder, lockHolder } from './lock-holder.ts';
import { schemaOf, sessionOf } from './session.ts';
import { withTransaction } from './transaction.ts';

export { createDatabaseIfMissing } from './create.ts';

export const migrationsDirectory = join(packageRoot, 'src/lib/systems/database/migrations');

const table = 'schema_migrations';
/** Advisory lock of all visionscale migrations in a database; any constant will do, as long as it stays. */
const lockId = '8317462093541';
/** Between two looks whether another host is done, ms. */
const lookAgain = 50;
/** After so much silence the server gives up a process that migrates, ms. */
const silentMs = 10_000;

export interface MigrateOptions {
  /** How long to wait for another host that is migrating, ms. */
  lockTimeoutMs?: number;
  /** Another directory of migrations: for tests. */
  directory?: string;
}

/** Applies what is missing, in one transaction. Throws DatabaseError: `migration_locked`, `migration_failed`. */
export async function migrate(pool: pg.Pool, options: MigrateOptions = {}): Promise<{ applied: string[] }> {
  const schema = schemaOf(pool);
  const timeoutMs = options.lockTimeoutMs ?? 60_000;
  const directory = options.directory ?? migrationsDirectory;
  // Tried again and again: waiting inside would hold a snapshot that holds back vacuum.
  const applied = await waitUntilThere(() => attempt(pool, schema, directory), {
    everyMs: lookAgain,
    forMs: timeoutMs,
  });
  if (applied === null) throw await locked(pool, timeoutMs);
  return { applied };
}

/**
 * Null while another process migrates. Lock and changes are one transaction, so that neither outlives the other, and
 * that a pooler cannot part them.
 */
async function attempt(pool: pg.Pool, schema: string, directory: string): Promise<string[] | null> {
  const migrations = async (client: pg.PoolClient) => {
    const { rows } = await client.query<{ held: boolean }>('select pg_try_advisory_xact_lock($1) as held', [
      lockId,
    ]);
    if (!rows[0]?.held) return null;
    if ((await lacking(client, schema, directory)).length === 0) return [];
    await requireRights(client, schema, sessionOf(pool)?.role);
    // What is made goes where the tables are; times are ordered by, whatever zone each migrating role has.
    await client.query(`select set_config('search_path', $1, true), set_config('TimeZone', 'UTC', true)`, [
      pg.escapeIdentifier(schema),
    ]);
    await adopt(client, schema);
    const { runner } = await import('node-pg-migrate'); // and with it a pg of its own: only where there is something to do
    const applied = await runner({
      dbClient: insideTransaction(client),
      dir: directory,
      ignorePattern: '(?!.*\\.sql$).*',
      migrationsTable: table,
      migrationsSchema: schema,
      checkOrder: false, // by run_on, which older versions wrote in the zone of whoever migrated
      direction: 'up',
      singleTransaction: true,
      noLock: true,
      logger: silent,
    });
    return applied.map(({ name }) => name);
  };
  try {
    return await withTransaction(pool, migrations, { idleMs: silentMs });
  } catch (error) {
    throw migrationError(error);
  }
}

/** The runner would begin and end a transaction of its own. */
function insideTransaction(client: pg.PoolClient): pg.Client {
  const own = /^(begin|commit|rollback);?$/i;
  return new Proxy<pg.Client>(client, {
    get(target, name) {
      if (name !== 'query') return Reflect.get(target, name, target) as unknown;
      return (text: unknown, ...rest: unknown[]) =>
        typeof text === 'string' && own.test(text.trim())
          ? Promise.resolve({ rows: [] })
          : (target.query as (...args: unknown[]) => unknown)(text, ...rest);
    },
  });
}

/** Earlier versions noted in `public` what they had made in another schema. */
async function adopt(client: pg.PoolClient, schema: string): Promise<void> {
  const name = pg.escapeIdentifier(schema);
  const { rows } = await client.query<{ adopt: boolean }>(
    `select to_regclass($1 || '.${table}') is null and to_regclass($1 || '.image_info') is not null
       and to_regclass('public.${table}') is not null and to_regclass('public.image_info') is null as adopt`,
    [name],
  );
  if (!rows[0]?.adopt) return;
  await client.query(
    `create table ${name}.${table} (id serial primary key, name varchar(255) not null, run_on timestamp not null);
     insert into ${name}.${table} (name, run_on) select name, run_on from public.${table} order by id`,
  );
}

/** Says before anything is tried what an administrator has to give. */
async function requireRights(client: pg.PoolClient, schema: string, role = 'the role'): Promise<void> {
  const { rows } = await client.query<{ may: boolean; owner: string | null }>(
    `select has_schema_privilege($1, 'CREATE') as may,
       (select pg_get_userbyid(relowner) from pg_class
        where relnamespace = $2::regnamespace and relkind = 'r' and relname in ('${table}', 'image_info')
          and not pg_has_role(relowner, 'MEMBER') limit 1) as owner`,
    [schema, pg.escapeIdentifier(schema)],
  );
  const { may = true, owner = null } = rows[0] ?? {};
  if (owner !== null) {
    throw new DatabaseError(
      `role ${role} may not change the tables in the schema ${schema}: they are ${owner}’s`,
      {
        code: 'database_permission_denied',
        hint: `Run \`visionscale init\` as ${owner}; all other commands need no more than a role of \`visionscale init --roles\`.`,
      },
    );
  }
  if (!may) {
    throw new DatabaseError(`role ${role} may not create tables in the schema ${schema}`, {
      code: 'database_permission_denied',
      hint:
        'Have an administrator run, or run `visionscale init` as another role:\n' +
        `  GRANT USAGE, CREATE ON SCHEMA ${pg.escapeIdentifier(schema)} TO ${pg.escapeIdentifier(role)};`,
    });
  }
}

/**
 * The migrations that the code has and the database has not, oldest first: empty means up to date. Throws `schema_newer` where a
 * later version has taken away what this one needs.
 */
export async function pendingMigrations(
  pool: pg.Pool,
  directory: string = migrationsDirectory,
): Promise<string[]> {
  return lacking(pool, schemaOf(pool), directory);
}

async function lacking(
  client: Pick<pg.ClientBase, 'query'>,
  schema: string,
  directory: string,
): Promise<string[]> {
  const applied = await appliedMigrations(client, schema);
  const files = (await readdir(directory)).filter((file) => file.endsWith('.sql')).sort();
  const own = files.map((file) => file.slice(0, -'.sql'.length));
  requireNotNewer(applied, own);
  return own.filter((name) => !applied.includes(name));
}

/**
 * Versions work on the tables of later ones, for migrations only add. One that takes something away says in its name which
 * migration a version must know to work without it: `015_no_old_column-needs-012`.
 */
function requireNotNewer(applied: readonly string[], own: readonly string[]): void {
  const known = Number.parseInt(own.at(-1) ?? '0');
  const beyond = applied.find((name) => Number(/-needs-(\d+)$/.exec(name)?.[1] ?? 0) > known);
  if (beyond === undefined) return;
  throw new DatabaseError(
    `the database is set up for a later version (${beyond}), which this one cannot work beside`,
    {
      code: 'schema_newer',
      hint: 'Install the version that the other hosts have.',
    },
  );
}

/** The last migration applied, or null in an empty database. */
export async function schemaVersion(pool: pg.Pool): Promise<string | null> {
  return (await appliedMigrations(pool, schemaOf(pool))).at(-1) ?? null;
}

/** Asks for the table first: in a transaction a failed statement would be its end. */
async function appliedMigrations(client: Pick<pg.ClientBase, 'query'>, schema: string): Promise<string[]> {
  const name = `${pg.escapeIdentifier(schema)}.${table}`;
  try {
    const { rows: found } = await client.query<{ there: boolean }>(
      'select to_regclass($1) is not null as there',
      [name],
    );
    if (!found[0]?.there) return [];
    const { rows } = await client.query<{ name: string }>(`select name from ${name} order by name`);
    return rows.map((row) => row.name);
  } catch (error) {
    if (databaseCode(error) === '42P01') return [];
    throw toDatabaseError(error);
  }
}

async function locked(pool: pg.Pool, timeoutMs: number): Promise<DatabaseError> {
  const holder = await lockHolder(pool, { key: lockId }).catch(() => null);
  const who = holder === null ? 'another process' : describeHolder(holder);
  return new DatabaseError(`${who} has been migrating this database for ${timeoutMs / 1000} s`, {
    code: 'migration_locked',
    retryable: true,
    hint:
      holder === null
        ? 'Wait for it, or end it.'
        : `Wait for it, or end it: SELECT pg_terminate_backend(${holder.pid});`,
  });
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
