/** Where a database is: what pg makes of a ClientConfig (URL, fields and PG* variables), in one form. */
import type { Duplex } from 'node:stream';
import pg from 'pg';
import { DatabaseError, errorMessage } from '../../base/errors.ts';
import { type AwsLogin, rdsPassword } from '../aws-login.ts';

export interface ServerConnection extends pg.ClientConfig {
  /** Tried where the server does not take `ssl`: what libpq calls prefer and allow. */
  otherSsl?: pg.ClientConfig['ssl'];
  /** Settings for its sessions. Not sent when connecting: poolers refuse what they do not know. */
  session?: Record<string, string>;
  /** Each new connection logs in with a password that AWS credentials sign. */
  awsIam?: AwsLogin;
}

/** Complete connection settings. The password must not reach a log or an error. */
export interface ResolvedConnection extends ServerConnection {
  host: string;
  port: number;
  database: string;
}

/** Lets pg itself resolve URL, fields and defaults, so that there is one answer to "which database is this?". */
export function resolveConnection(connection: ServerConnection): ResolvedConnection {
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

/** Leaves PGOPTIONS alone, which pg would send when connecting: `session` has what it says. */
export class Client extends pg.Client {
  constructor(config: pg.ClientConfig = {}) {
    super(config);
    const { connectionParameters } = this as unknown as { connectionParameters: { options?: string } };
    connectionParameters.options = config.options ?? '';
  }

  /** Ends without a good-bye. After a refusal in the TLS handshake `end` may wait for ever. */
  cut(): void {
    const { connection } = this as unknown as { connection: { stream: Duplex } };
    connection.stream.destroy();
  }
}

/** Does what connects the one way, then where the server refuses it the other way, if there is one. */
export async function eitherWay<T>(
  connection: ServerConnection,
  work: (connection: pg.ClientConfig) => Promise<T>,
): Promise<T> {
  const { otherSsl, session: _, awsIam, ...rest } = withoutUrl(connection);
  const first =
    awsIam === undefined ? rest : { ...rest, password: () => rdsPassword(addressOf(rest), awsIam) };
  try {
    return await work(first);
  } catch (error) {
    if (otherSsl === undefined || !isAboutTls(error)) throw error;
    return await work({ ...first, ssl: otherSsl });
  }
}

/** A password in a URL, or none, would count before one that is signed for each connection. */
function withoutUrl(connection: ServerConnection): ServerConnection {
  return connection.awsIam === undefined ? connection : resolveConnection(connection);
}

function addressOf({ host = '', port = 5432, user = '' }: pg.ClientConfig) {
  return { host, port, user };
}

/** No TLS there or none that works, or an entry of pg_hba.conf that wants the other. */
function isAboutTls(error: unknown): boolean {
  const cause = error instanceof DatabaseError ? error.cause : error;
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
  return code === '28000' || code === 'EPROTO' || /SSL|TLS/.test(String(message));
}

/** pg reads the files that a URL's sslrootcert, sslcert and sslkey name while it parses it. */
function client(connection: pg.ClientConfig): pg.Client {
  try {
    return new Client(connection);
  } catch (error) {
    throw new DatabaseError(`DATABASE_URL cannot be used: ${errorMessage(error)}`, {
      code: 'database_tls',
      hint: 'Check the files that its sslrootcert, sslcert and sslkey name.',
    });
  }
}

/** `host:port/database`, for messages; the host may be the directory of a unix socket. */
export function describeConnection(connection: pg.ClientConfig): string {
  const { host, port, database } = resolveConnection(connection);
  return `${host.includes(':') ? `[${host}]` : host}:${port}/${database}`;
}
