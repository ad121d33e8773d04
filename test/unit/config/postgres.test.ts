import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../../src/lib/config/load.ts';
import { databaseSettings, type PostgresSettings } from '../../../src/lib/config/postgres.ts';
import { resolveConnection } from '../../../src/lib/systems/database/connection.ts';

const dir = mkdtempSync(join(tmpdir(), 'visionscale-pg-'));
const root = join(dir, 'root.crt');
const authority = '-----BEGIN CERTIFICATE-----\na root';
writeFileSync(root, authority);

function connection(data: PostgresSettings) {
  const settings = databaseSettings(data, '/data');
  if (settings.kind !== 'server') throw new Error('embedded');
  return settings.connection;
}

describe('databaseSettings', () => {
  const warnings: unknown[] = [];
  const warn = (warning: unknown) => warnings.push(warning);
  beforeEach(() => {
    vi.stubEnv('HOME', dir); // no ~/.postgresql there
    process.on('warning', warn);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    process.off('warning', warn);
  });

  const any = { checkServerIdentity: expect.any(Function) as unknown };
  const unchecked = { ssl: { rejectUnauthorized: false } };
  it.each([
    ['disable', undefined, { ssl: false }],
    ['allow', undefined, { ssl: false, otherSsl: unchecked.ssl }],
    ['prefer', undefined, { ...unchecked, otherSsl: false }],
    ['require', undefined, unchecked],
    ['require', root, { ssl: { rejectUnauthorized: true, ca: authority, ...any } }],
    ['verify-ca', root, { ssl: { rejectUnauthorized: true, ca: authority, ...any } }],
    ['verify-full', root, { ssl: { rejectUnauthorized: true, ca: authority } }],
    ['verify-full', 'system', { ssl: { rejectUnauthorized: true } }],
    ['verify-full', undefined, { ssl: { rejectUnauthorized: true } }],
  ] as const)('sslmode=%s with root %s means in the URL what it means in PGSSLMODE', (mode, ca, expected) => {
    const variables = connection({ PGHOST: 'db', PGSSLMODE: mode, PGSSLROOTCERT: ca });
    const { ssl, otherSsl } = variables;
    expect({ ssl, ...(otherSsl !== undefined && { otherSsl }) }).toEqual(expected);
    const rootParameter = ca === undefined ? '' : `&sslrootcert=${encodeURIComponent(ca)}`;
    const url = connection({ DATABASE_URL: `postgres://u@db/x?sslmode=${mode}${rootParameter}` });
    expect(url).toEqual({ connectionString: 'postgres://u@db/x', ...expected });
    // The URL's word counts; the file may be the variable's.
    expect(
      connection({
        DATABASE_URL: `postgres://u@db/x?sslmode=${mode}`,
        PGSSLMODE: 'disable',
        PGSSLROOTCERT: ca,
      }),
    ).toEqual({ connectionString: 'postgres://u@db/x', ...expected });
    expect(resolveConnection(url)).toMatchObject({ host: 'db', database: 'x', ssl: expected.ssl });
    expect(warnings).toEqual([]);
  });

  it.each([
    ['postgres://u:p%40ss@/x?host=/run/db', '/run/db'],
    ['postgres:///x?host=/run/db&user=u', '/run/db'],
    ['postgresql://u:p%40ss@?host=/run/db', '/run/db'],
    ['postgres://u:p%40ss@localhost:5433/x?host=%2Frun%2Fmy%20db', '/run/my db'],
    ['postgres://u:p%40ss@%2Frun%2Fdb/x', '/run/db'],
    ['postgres://u:p%40ss@/x', 'localhost'],
    ['postgres://u:p%40ss@:5433/x', 'localhost'],
  ])('%s is where libpq finds it', (url, host) => {
    const { database } = loadConfig({ DATABASE_URL: url, PGDATABASE: 'x', PGPASSWORD: 'p@ss' });
    if (database.kind !== 'server') throw new Error('embedded');
    const port = url.includes(':5433') ? 5433 : 5432;
    const found = resolveConnection(database.connection);
    expect(found).toMatchObject({ host, port, database: 'x', user: 'u', password: 'p@ss' });
  });

  it('takes a unix socket by PGHOST too, and wants no TLS there', () => {
    const url = { DATABASE_URL: 'postgres://u@/x?host=/run/db&port=5433&sslmode=require' };
    expect(resolveConnection(connection(url))).toMatchObject({ host: '/run/db', port: 5433, ssl: false });
    const variables = { PGHOST: '/run/db', PGSSLMODE: 'verify-full' } as const;
    expect(resolveConnection(connection(variables))).toMatchObject({ host: '/run/db', ssl: false });
    const both = { DATABASE_URL: 'postgres://u@/x', PGHOST: '/run/db' };
    expect(resolveConnection(connection(both))).toMatchObject({ host: '/run/db', user: 'u', ssl: false });
  });

  it('says which word of a URL it does not know, and which file it cannot read', () => {
    const bad = (query: string) => () => connection({ DATABASE_URL: `postgres://u:hunter2@db/x?${query}` });
    expect(bad('sslmode=maybe')).toThrow(
      'sslmode in DATABASE_URL must be disable, allow, prefer, require, verify-ca or verify-full',
    );
    expect(bad('sslmode=require&sslrootcert=system')).toThrow('too weak');
    expect(bad('sslrootcert=/not/there')).toThrow(/sslrootcert.*which is not there/);
    expect(bad('sslmode=maybe')).not.toThrow(/hunter2/);
    expect(() => loadConfig({ PGHOST: 'db', PGSSLMODE: 'maybe' })).toThrow(
      /PGSSLMODE must be disable, allow/,
    );
  });

  it('keeps options from being sent when connecting, and leaves what it does not know to the server', () => {
    const options = encodeURIComponent(
      String.raw`-c search_path=a\ b,c --work-mem=4MB endpoint=x -cstatement_timeout=5s`,
    );
    expect(
      connection({ DATABASE_URL: `postgres://u@db/x?options=${options}&lock_timeout=7&application_name=y` }),
    ).toEqual({
      connectionString: 'postgres://u@db/x?application_name=y',
      session: { search_path: 'a b,c', work_mem: '4MB', statement_timeout: '5s', lock_timeout: '7' },
      options: 'endpoint=x',
    });
    expect(connection({ PGHOST: 'db', PGOPTIONS: '-csearch_path=line_2' }).session).toEqual({
      search_path: 'line_2',
    });
  });
});
