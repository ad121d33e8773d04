/** PostgreSQL as people have it: roles with settings of their own, few rights, several schemas, strangers' locks. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VisionscaleError } from '../../src/lib/base/errors.ts';
import { databaseSettings, type PostgresSettings } from '../../src/lib/config/postgres.ts';
import { doctor } from '../../src/lib/pipeline/doctor/doctor.ts';
import { databaseChecks } from '../../src/lib/pipeline/doctor/servers.ts';
import { status } from '../../src/lib/pipeline/status.ts';
import { migrate, pendingMigrations, schemaVersion } from '../../src/lib/systems/database/migrate.ts';
import { type Database, openDatabase } from '../../src/lib/systems/database/open.ts';
import { createSchemaIfMissing, requireFit } from '../../src/lib/systems/database/session.ts';
import { claim } from '../../src/lib/systems/database/tables/owners.ts';
import { withTransaction } from '../../src/lib/systems/database/transaction.ts';
import { oddSettings, testRole, type TestRole } from '../support/roles.ts';
import { address, describeWith } from '../support/servers.ts';

describeWith('PostgreSQL', 'directly', (server) => suite(() => server));
describeWith('PgBouncer', 'behind PgBouncer', (pooler) => suite(() => pooler));

function suite(server: () => string): void {
  const fresh = () => `visionscale_odd_${randomBytes(5).toString('hex')}`;
  const timeout = 60_000;
  let roles: TestRole[] = [];
  let opened: Database[] = [];
  afterAll(() => clean(), timeout);
  async function clean() {
    for (const database of opened) await database[Symbol.asyncDispose]();
    for (const role of roles) await role[Symbol.asyncDispose]();
    [roles, opened] = [[], []];
  }
  async function makeRole(...given: [settings?: Record<string, string>, options?: string]) {
    const role = await testRole(address('PostgreSQL')!, ...given);
    roles.push(role);
    return role;
  }
  async function open(url: string, given: PostgresSettings = {}) {
    const database = await openDatabase(databaseSettings({ ...given, DATABASE_URL: url }, '/none'));
    opened.push(database);
    return database;
  }

  describe('a role with odd settings', { timeout }, () => {
    let role: TestRole;
    let database: Database;
    beforeAll(async () => {
      role = await makeRole(oddSettings);
      const name = fresh();
      await role.create(name);
      database = await open(role.on(server(), name));
      await migrate(database.pool);
    }, timeout);

    it('reads times, bytes, numbers and nulls as they are', async () => {
      const { rows } = await database.pool.query(
        `select timestamptz '2026-03-04T05:06:07.891Z' as time, '\\x00ff5c'::bytea as bytes, 0.1234567890123::float8 as number,
           array_length(array_remove($1::text[], null), 1) as words, E'\\\\' as backslash, '\\' as plain`,
        [['a', null, 'NULL']],
      );
      expect(rows).toEqual([
        {
          time: new Date('2026-03-04T05:06:07.891Z'),
          bytes: Buffer.from([0, 255, 92]),
          number: 0.1234567890123,
          words: 2,
          backslash: '\\',
          plain: '\\',
        },
      ]);
    });

    it.each([
      ['a statement', (pool: pg.Pool, sql: string) => pool.query<Record<string, string>>(sql)],
      [
        'a transaction',
        (pool: pg.Pool, sql: string) =>
          withTransaction(pool, (client) => client.query<Record<string, string>>(sql)),
      ],
    ])('%s is durable, sees what others have committed, may write and take its time', async (_, query) => {
      const { rows } = await query(
        database.pool,
        `select current_setting('transaction_isolation') as isolation, current_setting('transaction_read_only') as read_only,
           current_setting('synchronous_commit') as durable, current_setting('statement_timeout') as statement,
           current_setting('lock_timeout') as lock`,
      );
      expect(rows).toEqual([
        { isolation: 'read committed', read_only: 'off', durable: 'on', statement: '0', lock: '0' },
      ]);
    });

    it('leaves no setting behind that another client of a pooler would find', async () => {
      await database.pool.query('select 1');
      const client = new pg.Client({ connectionString: role.on(server(), database.describe.split('/')[1]) });
      await client.connect();
      const { rows } = await client.query(`select current_setting('DateStyle') as style`);
      await client.end();
      expect(rows).toEqual([{ style: oddSettings['DateStyle'] }]);
    });

    it('is given up when it falls silent in a transaction, before a lease ends', async () => {
      const found = await withTransaction(database.pool, (client) =>
        client.query<{ ms: string }>(`select current_setting('idle_in_transaction_session_timeout') as ms`),
      );
      expect(found.rows).toEqual([{ ms: '2500ms' }]);
    });

    it('gets what its own options say of limits, and the rest put right', async () => {
      const url = role.on(server(), database.describe.split('/')[1]);
      const own = await open(url, { PGOPTIONS: '-c statement_timeout=7min -cDateStyle=German' });
      const { rows } = await own.pool.query(
        `select current_setting('statement_timeout') as limit, current_setting('DateStyle') as style`,
      );
      expect(rows).toEqual([{ limit: '7min', style: 'ISO, DMY' }]);
    });

    it('is told by doctor', async () => {
      const result = await doctor(
        databaseChecks(() => Promise.resolve(database)),
        () => undefined,
      );
      expect(result.checks[0]).toMatchObject({
        state: 'ok',
        detail: expect.stringMatching(/sets for itself: .*synchronous_commit/) as string,
      });
    });
  });

  describe('several schemas in one database', { timeout }, () => {
    it('has migrations and tables in each', async () => {
      const role = await makeRole();
      const name = fresh();
      await role.create(name);
      const url = role.on(server(), name);
      const [one, two] = [
        await open(`${url}?options=-csearch_path%3Dline_1`),
        await open(url, { PGOPTIONS: '--search-path=line_2,public' }),
      ];
      await expect(pendingMigrations(one.pool)).rejects.toMatchObject({
        code: 'schema_missing',
        hint: expect.stringContaining('visionscale init') as string,
      });
      await createSchemaIfMissing(one.pool);
      const { applied } = await migrate(one.pool);
      expect(applied.length).toBeGreaterThan(0);
      await role.sql(`create schema line_2 authorization ${role.name}`, name);
      const again = await open(url, { PGOPTIONS: '--search-path=line_2,public' });
      expect(await migrate(again.pool)).toEqual({ applied });
      await one.pool.query(`insert into image_info (image_key) values ('only in one')`);
      expect((await again.pool.query('select from image_info')).rowCount).toBe(0);
      // Without a schema of its own: public, where the database's owner may create.
      await role.sql(`grant create on schema public to ${role.name}`, name);
      const plain = await open(url);
      expect(await migrate(plain.pool)).toEqual({ applied });
      expect(await schemaVersion(plain.pool)).toBe(applied.at(-1));
      expect(two.describe).toContain(name);
    });

    it('takes up an installation whose migrations an earlier version noted in public', async () => {
      const role = await makeRole();
      const name = fresh();
      await role.create(name);
      const given = { PGOPTIONS: '-csearch_path=old' };
      const first = await open(role.on(server(), name), given);
      await createSchemaIfMissing(first.pool);
      const { applied } = await migrate(first.pool);
      await first.pool.query(`insert into image_info (image_key) values ('kept')`);
      await role.sql('alter table old.schema_migrations set schema public', name);
      expect(await migrate((await open(role.on(server(), name), given)).pool)).toEqual({ applied: [] });
      expect((await first.pool.query('select from image_info')).rowCount).toBe(1);
      expect(await schemaVersion(first.pool)).toBe(applied.at(-1));
    });
  });

  describe('a role that may not create', { timeout }, () => {
    it('is told by name what an administrator grants, runs with that, and finds nothing to migrate', async () => {
      const [owner, plain] = [await makeRole(), await makeRole()];
      const name = fresh();
      await owner.create(name);
      await owner.sql(`grant create on schema public to ${owner.name}`, name);
      const early = await open(plain.on(server(), name));
      await expect(migrate(early.pool)).rejects.toMatchObject({
        code: 'database_permission_denied',
        retryable: false,
        hint: expect.stringContaining(`GRANT USAGE, CREATE ON SCHEMA "public" TO "${plain.name}";`) as string,
      });
      await migrate((await open(owner.on(server(), name))).pool);

      const failing = await doctor(
        databaseChecks(() => Promise.resolve(early)),
        () => undefined,
      );
      const tables = failing.checks.find((check) => check.name === 'tables');
      expect(tables?.state).toBe('failed');
      const hint = tables?.hint ?? tables?.detail ?? '';
      expect(hint).toContain(`GRANT "visionscale_${name}_operator" TO "${plain.name}";`);
      const asked = `grant usage on schema public to ${plain.name};
        grant select, insert, update, delete on all tables in schema public to ${plain.name}`;
      await owner.sql(asked, name);
      expect(await migrate(early.pool)).toEqual({ applied: [] });
      expect(await pendingMigrations(early.pool)).toEqual([]);
      const passing = await doctor(
        databaseChecks(() => Promise.resolve(early)),
        () => undefined,
      );
      expect(passing.checks.map(({ state }) => state)).not.toContain('failed');
      expect((await early.pool.query(`insert into image_info (image_key) values ('x')`)).rowCount).toBe(1);
    });

    it('hears which schema it may not use', async () => {
      const [owner, plain] = [await makeRole(), await makeRole({ search_path: 'hidden' })];
      const name = fresh();
      await owner.create(name);
      await owner.sql(`create schema hidden authorization ${owner.name}`, name);
      const { pool } = await open(plain.on(server(), name));
      await expect(pendingMigrations(pool)).rejects.toMatchObject({
        code: 'database_permission_denied',
        hint: expect.stringContaining(
          `GRANT "visionscale_${name}_hidden_operator" TO "${plain.name}";`,
        ) as string,
      });
    });
  });

  it.each(['SQL_ASCII', 'LATIN1'])('refuses a database in %s by name', { timeout }, async (encoding) => {
    const role = await makeRole();
    const name = fresh();
    await role.create(name, `encoding '${encoding}' locale 'C'`);
    const { pool } = await open(role.on(server(), name));
    expect(() => requireFit(pool)).toThrow(encoding);
    const found = await doctor(
      databaseChecks(() => open(role.on(server(), name))),
      () => undefined,
    );
    expect(found.checks[0]).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining(`encoding is ${encoding}`) as string,
      hint: expect.stringContaining('UTF8') as string,
    });
  });

  it(
    'says who holds the lock that a consumer needs to start, and goes on when it is given up',
    { timeout },
    async () => {
      const role = await makeRole();
      const name = fresh();
      await role.create(name);
      await role.sql(`grant create on schema public to ${role.name}`, name);
      const { pool } = await open(role.on(server(), name));
      await migrate(pool);
      const stranger = await makeRole();
      const other = new pg.Client({
        connectionString: stranger.on(address('PostgreSQL')!, name),
        application_name: 'their cron job',
      });
      await other.connect();
      const { rows } = await other.query<{ pid: number }>(
        `select pg_backend_pid() as pid from pg_advisory_lock(hashtextextended('owners default t', 0))`,
      );
      const id = { pipeline: 'default', topic: 't', partition: 0 };
      const claimant = { owner: 'me:1', hostname: 'here', mode: 'partition' } as const;
      await expect(claim(pool, id, claimant)).rejects.toMatchObject({
        code: 'lock_held',
        retryable: true,
        message: expect.stringContaining(
          `process ${rows[0]!.pid} (their cron job of role ${stranger.name}`,
        ) as string,
        hint: expect.stringContaining(`pg_terminate_backend(${rows[0]!.pid})`) as string,
      });
      const topic = new VisionscaleError('no topic here', { code: 'none' });
      const { problems } = await status(pool, 't', topic, 'default');
      expect(problems.join('\n')).toMatch(/no consumer can start: process \d+ \(their cron job/);
      await other.end();
      expect(await claim(pool, id, claimant)).toMatchObject({ kind: 'granted' });
    },
  );

  it('names who is in the way of a migration', { timeout }, async () => {
    const role = await makeRole();
    const name = fresh();
    await role.create(name);
    const { pool } = await open(role.on(server(), name));
    const other = new pg.Client({
      connectionString: role.on(address('PostgreSQL')!, name),
      application_name: 'their cron job',
    });
    await other.connect();
    await other.query('select pg_advisory_lock(8317462093541)');
    await expect(migrate(pool, { lockTimeoutMs: 100 })).rejects.toMatchObject({
      code: 'migration_locked',
      message: expect.stringContaining('their cron job') as string,
    });
    await other.end();
  });
}

describeWith('PgBouncer', 'what PgBouncer says', (pooler) => {
  it('that it refuses a startup parameter is final, and names the line to add', async () => {
    const connection = { connectionString: pooler, options: '--weird' };
    await expect(openDatabase({ kind: 'server', connection })).rejects.toMatchObject({
      code: 'database_parameter_refused',
      retryable: false,
      hint: expect.stringContaining('ignore_startup_parameters = options') as string,
    });
  });

  it('tells a wrong password and an unknown database from a server that is away', async () => {
    const url = new URL(pooler);
    const attempt = () => openDatabase({ kind: 'server', connection: { connectionString: url.href } });
    url.pathname = '/no_such_database';
    await expect(attempt()).rejects.toMatchObject({ code: 'database_missing', retryable: false });
    url.pathname = '/postgres';
    url.password = 'wrong';
    await expect(attempt()).rejects.toMatchObject({ code: 'database_login_failed', retryable: false });
  });
});

describeWith('PostgreSQL', 'a server without TLS', (server) => {
  const attempt = (mode: string) => {
    const url = new URL(server);
    url.searchParams.set('sslmode', mode);
    return openDatabase(databaseSettings({ DATABASE_URL: url.href }, '/none'));
  };

  it.each(['disable', 'allow', 'prefer'])('is connected to with sslmode=%s', async (mode) => {
    await using database = await attempt(mode);
    expect((await database.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });

  it.each(['require', 'verify-ca', 'verify-full'])('is refused with sslmode=%s', async (mode) => {
    await expect(attempt(mode)).rejects.toMatchObject({ code: 'database_tls', retryable: false });
  });
});
