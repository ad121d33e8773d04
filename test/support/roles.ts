/** Roles of a test's own, configured as somebody's administrator might have, on the real PostgreSQL. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** Whatever ALTER ROLE may set that gets in the way. */
export const oddSettings: Record<string, string> = {
  DateStyle: 'German, DMY',
  IntervalStyle: 'sql_standard',
  TimeZone: 'Asia/Kathmandu',
  bytea_output: 'escape',
  extra_float_digits: '-15',
  array_nulls: 'off',
  standard_conforming_strings: 'off',
  transform_null_equals: 'on',
  default_transaction_isolation: 'serializable',
  default_transaction_read_only: 'on',
  idle_in_transaction_session_timeout: '1h',
  statement_timeout: '1h',
  lock_timeout: '1h',
  synchronous_commit: 'off',
  search_path: '',
};

export interface TestRole extends AsyncDisposable {
  name: string;
  /** `url`, as this role. */
  on(url: string, database?: string): string;
  /** Makes a database that belongs to it. */
  create(database: string, options?: string): Promise<void>;
  /** As an administrator, in a database. */
  sql<Row extends pg.QueryResultRow>(text: string, database?: string): Promise<Row[]>;
}

/** `server`: the URL of a superuser. Disposing drops the role and its databases. */
export async function testRole(
  server: string,
  settings: Record<string, string> = {},
  options = '',
): Promise<TestRole> {
  const name = `visionscale_test_${randomBytes(5).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  const databases = new Set<string>();
  const sql = async <Row extends pg.QueryResultRow>(text: string, database?: string) => {
    const client = new pg.Client({ connectionString: at(server, database) });
    await client.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  };
  await sql(`create role ${name} login password '${password}' ${options}`);
  for (const [setting, value] of Object.entries(settings)) {
    await sql(`alter role ${name} set ${setting} = ${pg.escapeLiteral(value)}`);
  }
  return {
    name,
    sql,
    async create(database, encoding = `encoding 'UTF8'`) {
      await sql(`create database ${database} owner ${name} template template0 ${encoding}`);
      databases.add(database);
    },
    on(url, database) {
      const own = new URL(at(url, database));
      [own.username, own.password] = [name, password];
      return own.href;
    },
    async [Symbol.asyncDispose]() {
      for (const database of databases) await sql(`drop database if exists "${database}" with (force)`);
      await sql(`drop owned by ${name}; drop role ${name}`);
    },
  };
}

function at(server: string, database?: string): string {
  const url = new URL(server);
  if (database !== undefined) url.pathname = `/${database}`;
  return url.href;
}
