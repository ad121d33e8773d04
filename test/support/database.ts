/** A fresh, migrated database for a test: in VISIONSCALE_TEST_POSTGRES where set, else in an embedded PostgreSQL. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { resolveConnection } from '../../src/lib/systems/database/connection.ts';
import { createDatabaseIfMissing, migrate } from '../../src/lib/systems/database/migrate.ts';
import { openDatabase } from '../../src/lib/systems/database/open.ts';
import type { DatabaseSettings } from '../../src/lib/systems/database/open.ts';
import { embeddedServer } from './embedded-server.ts';
import { address } from './servers.ts';
import { templateName } from './shared-run.ts';

export interface TestDatabase extends AsyncDisposable {
  pool: pg.Pool;
  /** Of this database; a command under test can connect with it. */
  connection: pg.ClientConfig;
  kind: DatabaseSettings['kind'];
}

async function server(): Promise<Pick<TestDatabase, 'kind' | 'connection'>> {
  const url = address('PostgreSQL');
  if (url !== undefined) return { kind: 'server', connection: { connectionString: url } };
  const { connection } = await embeddedServer();
  return { kind: 'embedded', connection: { ...connection, ssl: false } };
}

/** One that is migrated, to be copied: a tenth of the work of migrating another. */
let template: Promise<string> | undefined;

async function makeTemplate(onServer: pg.ClientConfig): Promise<string> {
  const database = templateName();
  const client = new pg.Client(onServer);
  await client.connect();
  try {
    await client.query('select pg_advisory_lock(1)'); // other files may be at it
    const { rowCount } = await client.query('select from pg_database where datname = $1', [database]);
    if (rowCount === 0) {
      const connection = { ...resolveConnection(onServer), database: `${database}_new` };
      await createDatabaseIfMissing(connection);
      const opened = await openDatabase({ kind: 'server', connection });
      await migrate(opened.pool);
      await opened[Symbol.asyncDispose]();
      await client.query(`ALTER DATABASE ${database}_new RENAME TO ${database}`);
    }
  } finally {
    await client.end();
  }
  return database;
}

async function copyTemplate(onServer: pg.ClientConfig, database: string): Promise<void> {
  const from = await (template ??= makeTemplate(onServer));
  const client = new pg.Client(onServer);
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${pg.escapeIdentifier(database)} TEMPLATE ${from}`);
  } finally {
    await client.end();
  }
}

/** Disposing ends the pool and drops the database. Unmigrated where `migrated` is false. */
export async function testDatabase({ migrated = true } = {}): Promise<TestDatabase> {
  const { kind, connection: onServer } = await server();
  const database = `visionscale_test_${randomBytes(6).toString('hex')}`;
  const connection = { ...resolveConnection(onServer), database };
  if (migrated) await copyTemplate(onServer, database);
  else await createDatabaseIfMissing(connection);
  const opened = await openDatabase({ kind: 'server', connection });

  const dispose = async () => {
    await opened[Symbol.asyncDispose]();
    const client = new pg.Client(onServer);
    await client.connect();
    await client.query(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(database)} WITH (FORCE)`);
    await client.end();
  };
  let disposing: Promise<void> | undefined;
  return { pool: opened.pool, connection, kind, [Symbol.asyncDispose]: () => (disposing ??= dispose()) };
}
