/** Every database, embedded or a server, does what the rest of the code relies on. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { resolveConnection } from '../../src/lib/systems/database/connection.ts';
import { stopped } from '../../src/lib/systems/database/embedded/keeper/enter.ts';
import {
  createDatabaseIfMissing,
  migrate,
  pendingMigrations,
  schemaVersion,
} from '../../src/lib/systems/database/migrate.ts';
import { openDatabase, toDatabaseError } from '../../src/lib/systems/database/open.ts';
import type { Database, DatabaseSettings } from '../../src/lib/systems/database/open.ts';
import { withTransaction } from '../../src/lib/systems/database/transaction.ts';
import { ensureBuilt } from '../support/build.ts';
import { testDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { describeWith } from '../support/servers.ts';

describe('embedded', () => {
  let dataDir: string;
  beforeAll(async () => {
    await ensureBuilt();
    dataDir = await mkdtemp(join(tmpdir(), 'visionscale-contract-'));
  });
  afterAll(async () => {
    await stopped(dataDir, 20_000);
    await rm(dataDir, { recursive: true, force: true });
  });
  contract(() => ({ kind: 'embedded', dataDir }));
});

describeWith('PostgreSQL', 'server', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await testDatabase({ migrated: false });
  });
  afterAll(() => database[Symbol.asyncDispose]());
  contract(() => ({ kind: 'server', connection: database.connection }));
});

function contract(settings: () => DatabaseSettings): void {
  let database: Database;
  const notices: string[] = [];
  beforeAll(async () => {
    database = await openDatabase(settings(), {
      applicationName: 'contract',
      max: 4,
      onNotice: (text) => notices.push(text),
    });
  });
  afterAll(() => database[Symbol.asyncDispose]());

  it('says what and where it is, without the password', () => {
    expect(database.kind).toBe(settings().kind);
    const asked = settings();
    if (asked.kind === 'embedded' && process.platform !== 'win32') {
      expect(database.describe).toBe(`${join(asked.dataDir, 'postgres/socket')}:5432/my_db`);
    } else expect(database.describe).toMatch(/^[\w.:[\]-]+:\d+\/\w+$/);
  });

  it('is PostgreSQL with UTF-8, durable, known by its application name', async () => {
    const { rows } = await database.pool.query<{ encoding: string; name: string; fsync: string }>(
      `SELECT current_setting('server_encoding') AS encoding, current_setting('application_name') AS name,
              current_setting('synchronous_commit') AS fsync`,
    );
    expect(rows[0]).toEqual({ encoding: 'UTF8', name: 'contract', fsync: 'on' });
  });

  it('reads bigint as a number, exactly or not at all, and leaves other users of pg alone', async () => {
    const { rows } = await database.pool.query<Record<string, unknown>>(
      `SELECT count(*) AS count, 9007199254740991::int8 AS largest, '{1,NULL,3}'::int8[] AS list, NULL::int8 AS none`,
    );
    expect(rows[0]).toEqual({ count: 1, largest: Number.MAX_SAFE_INTEGER, list: [1, null, 3], none: null });
    await expect(database.pool.query('SELECT 9007199254740992::int8')).rejects.toThrow('beyond 2^53');
    const standard = pg.types.getTypeParser(pg.types.builtins.INT8) as (text: string) => unknown;
    expect(standard('1')).toBe('1');
  });

  it('migrates once, also when two hosts start it at the same time', async () => {
    const pending = await pendingMigrations(database.pool);
    expect(pending.length).toBeGreaterThan(0);
    expect(await schemaVersion(database.pool)).toBeNull();

    const both = await Promise.all([migrate(database.pool), migrate(database.pool)]);
    expect(both.map(({ applied }) => applied.length).sort()).toEqual([0, pending.length]);
    expect(both.flatMap(({ applied }) => applied)).toEqual(pending);
    expect(await migrate(database.pool)).toEqual({ applied: [] });
    expect(await pendingMigrations(database.pool)).toEqual([]);
    expect(await schemaVersion(database.pool)).toBe(pending.at(-1));
  });

  it('works on the tables of a later version, except where that has taken away what this one needs', async () => {
    const { pool } = database;
    const [old, later] = await Promise.all([
      mkdtemp(join(tmpdir(), 'old-')),
      mkdtemp(join(tmpdir(), 'later-')),
    ]);
    onTestFinished(async () => {
      await pool.query(`delete from schema_migrations where name like '9%'`);
      await Promise.all([old, later].map((directory) => rm(directory, { recursive: true })));
    });
    for (const directory of [old, later])
      await writeFile(join(directory, '901_first.sql'), '-- Up Migration');
    await writeFile(join(later, '902_more.sql'), '-- Up Migration');
    await migrate(pool, { directory: later });
    expect(await pendingMigrations(pool, old)).toEqual([]);
    await expect(migrate(pool, { directory: old })).resolves.toEqual({ applied: [] });

    await writeFile(join(later, '903_less-needs-902.sql'), '-- Up Migration');
    await expect(migrate(pool, { directory: later })).resolves.toEqual({ applied: ['903_less-needs-902'] });
    await expect(pendingMigrations(pool, old)).rejects.toMatchObject({ code: 'schema_newer' });
    await expect(migrate(pool, { directory: old })).rejects.toMatchObject({ code: 'schema_newer' });
    expect(await pendingMigrations(pool, later)).toEqual([]);
  });

  it('waits for another migration, but no longer than told', async () => {
    const other = await database.pool.connect();
    await other.query(`SELECT pg_advisory_lock(8317462093541)`);
    await expect(migrate(database.pool, { lockTimeoutMs: 100 })).rejects.toMatchObject({
      code: 'migration_locked',
      retryable: true,
    });
    other.release(true);
    expect(await migrate(database.pool, { lockTimeoutMs: 10_000 })).toEqual({ applied: [] });
  });

  it('commits all of a transaction or nothing', async () => {
    const { pool } = database;
    await pool.query('CREATE TABLE tx (n int PRIMARY KEY)');
    await expect(
      withTransaction(pool, (client) => client.query('INSERT INTO tx VALUES (1)')),
    ).resolves.toBeDefined();
    const failed = withTransaction(pool, async (client) => {
      await client.query('INSERT INTO tx VALUES (2)');
      throw new Error('on purpose');
    });
    await expect(failed).rejects.toThrow('on purpose');
    const swallowed = withTransaction(pool, async (client) => {
      await client.query('INSERT INTO tx VALUES (3)');
      await client.query('INSERT INTO tx VALUES (1)').catch(() => undefined);
    });
    await expect(swallowed).rejects.toMatchObject({ code: 'transaction_rolled_back' });
    const { rows } = await pool.query('SELECT n FROM tx');
    expect(rows).toEqual([{ n: 1 }]);
    expect(pool.waitingCount).toBe(0);
    expect(pool.idleCount).toBe(pool.totalCount);
  });

  it('survives the loss of a connection inside a transaction and of idle ones', async () => {
    const { pool } = database;
    const lost = withTransaction(pool, async (client) => {
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      const gone = new Promise((resolve) => client.once('error', resolve));
      await pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
      await gone;
      await client.query('SELECT 1');
    });
    const error = await lost.catch((reason: unknown) => reason);
    expect(toDatabaseError(error)).toMatchObject({ code: 'database_unreachable', retryable: true });

    const idle = await pool.connect();
    const noticed = new Promise((resolve) => pool.once('error', resolve));
    const others = await pool.connect();
    const { rows } = await others.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    others.release();
    await idle.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    await noticed;
    idle.release();
    expect(notices.at(-1)).toContain('connection lost');
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('reports statements that failed for a reason that may pass', async () => {
    const { pool } = database;
    const busy = pool
      .query(`SET statement_timeout = 20; SELECT pg_sleep(5)`)
      .catch((error: unknown) => error);
    expect(toDatabaseError(await busy)).toMatchObject({ code: 'database_timeout', retryable: true });
    const missing = await pool.query('SELECT * FROM no_such_table').catch((error: unknown) => error);
    expect(toDatabaseError(missing)).toMatchObject({ code: 'schema_missing', retryable: false });
  });

  it('creates a database once, also from two hosts at once', async () => {
    const connection = { ...resolveConnection(connectionOf(database)), database: 'Odd "name" äé' };
    const both = await Promise.all([
      createDatabaseIfMissing(connection),
      createDatabaseIfMissing(connection),
    ]);
    expect(both.map(({ created }) => created).sort()).toEqual([false, true]);
    expect(await createDatabaseIfMissing(connection)).toEqual({ created: false });
    await database.pool.query(`DROP DATABASE ${pg.escapeIdentifier(connection.database)}`);
  });

  it('says which SQL to run where it may not create the database', async () => {
    const { pool } = database;
    await pool.query(`CREATE ROLE plain LOGIN PASSWORD 'plain'`);
    const connection = {
      ...resolveConnection(connectionOf(database)),
      user: 'plain',
      password: 'plain',
      database: 'not"there',
    };
    await expect(createDatabaseIfMissing(connection)).rejects.toMatchObject({
      code: 'cannot_create_database',
      retryable: false,
      hint: expect.stringContaining(`CREATE DATABASE "not""there" OWNER "plain"`) as string,
    });
    await pool.query('DROP ROLE plain');
  });

  it('explains a wrong password, a missing database, and a server that is not there', async () => {
    const connection = resolveConnection(connectionOf(database));
    const attempt = (changes: pg.ClientConfig) =>
      openDatabase({ kind: 'server', connection: { ...connection, ...changes } });
    await expect(attempt({ database: 'no_such_db' })).rejects.toMatchObject({
      code: 'database_missing',
      retryable: false,
      hint: expect.stringContaining('visionscale init') as string,
    });
    await expect(attempt({ port: 1 })).rejects.toMatchObject({
      code: 'database_unreachable',
      retryable: true,
    });
    if (database.kind === 'embedded') {
      const error = await attempt({ password: 'wrong-secret' }).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'database_login_failed', retryable: false });
      expect(String(error)).not.toContain('wrong-secret');
    }
  });

  it('closes once, however often it is told to', async () => {
    const opened = await openDatabase(settings());
    await Promise.all([opened[Symbol.asyncDispose](), opened[Symbol.asyncDispose]()]);
    await opened[Symbol.asyncDispose]();
    await expect(opened.pool.query('SELECT 1')).rejects.toThrow();
  });
}

/** What a pool connects with; pg hides the password from enumeration. */
function connectionOf({ pool }: Database): pg.ClientConfig {
  const { password } = pool.options;
  return { ...pool.options, ...(password !== undefined && { password }) };
}
