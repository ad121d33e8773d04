/** Settings of PostgreSQL, under the names that libpq gives them. */
import type { Setting } from './setting.ts';

export const database = [
  {
    env: 'DATABASE_URL',
    section: 'PostgreSQL',
    description: 'The PostgreSQL server. Without it and without PG*, an embedded PostgreSQL is used',
    schema: (kinds) => kinds.databaseUrl,
    example: 'postgres://visionscale:password@db.example:5432/my_db',
    secret: true,
  },
  {
    env: 'PGHOST',
    section: 'PostgreSQL',
    description: 'Host of the server, instead of DATABASE_URL',
    schema: (kinds) => kinds.text,
    example: 'db.example',
  },
  {
    env: 'PGPORT',
    section: 'PostgreSQL',
    description: 'Port of the server',
    schema: (kinds) => kinds.wholeNumber(1, 65535),
    otherwise: '5432',
  },
  {
    env: 'PGUSER',
    section: 'PostgreSQL',
    description: 'User',
    schema: (kinds) => kinds.text,
    otherwise: 'the operating system user',
  },
  {
    env: 'PGPASSWORD',
    section: 'PostgreSQL',
    description: 'Password',
    schema: (kinds) => kinds.text,
    secret: true,
  },
  {
    env: 'PGDATABASE',
    section: 'PostgreSQL',
    description: 'Database, also where DATABASE_URL names none',
    schema: (kinds) => kinds.text,
    otherwise: 'my_db',
  },
  {
    env: 'PGSSLMODE',
    section: 'PostgreSQL',
    description:
      'disable, allow, prefer, require (checks the certificate where PGSSLROOTCERT is set), verify-ca or verify-full; the same as sslmode in DATABASE_URL',
    schema: (kinds) => kinds.sslMode,
    otherwise: 'disable',
  },
  {
    env: 'PGSSLROOTCERT',
    section: 'PostgreSQL',
    description: 'File with the certificate authority of the server',
    schema: (kinds) => kinds.text,
    example: '/etc/ssl/db-ca.pem',
  },
  {
    env: 'PGOPTIONS',
    section: 'PostgreSQL',
    description:
      'Session settings, as `options` in DATABASE_URL, such as a schema for each of several installations in one database',
    schema: (kinds) => kinds.text,
    example: '-csearch_path=line_2',
  },
] as const satisfies readonly Setting[];
