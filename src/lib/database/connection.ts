/** Where a database is: what pg makes of a ClientConfig (URL, fields and PG* variables), in one form. */
import pg from 'pg';
import { DatabaseError, errorMessage } from '../errors.ts';

/** Complete connection settings. The password must not reach a log or an error. */
export interface ResolvedConnection extends pg.ClientConfig {
  host: string;
  port: number;
  database: string;
}

/** Lets pg itself resolve URL, fields and defaults, so that there is one answer to "which database is this?". */
export function resolveConnection(connection: pg.ClientConfig): ResolvedConnection {
  const { connectionString: _, ...rest } = connection;
  const { host, port, user, password, ssl, database } = client(connection);
  return {
    ...rest,
    host,
    port,
    ssl,
    database: database ?? user ?? 'postgres',
    ...(user !== undefined && { user }),
    ...(password !== undefined && password !== null && { password }),
  };
}

/** pg reads the files that a URL's sslrootcert, sslcert and sslkey name while it parses it. */
function client(connection: pg.ClientConfig): pg.Client {
  try {
    return new pg.Client(connection);
  } catch (error) {
    throw new DatabaseError(`DATABASE_URL cannot be used: ${errorMessage(error)}`, {
      code: 'database_tls',
      hint: 'Check the files that its sslrootcert, sslcert and sslkey name.',
    });
  }
}

/** `host:port/database`, for messages. */
export function describeConnection(connection: pg.ClientConfig): string {
  const { host, port, database } = resolveConnection(connection);
  return `${host.includes(':') ? `[${host}]` : host}:${port}/${database}`;
}
