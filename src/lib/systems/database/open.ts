/** Opens the database: the embedded PostgreSQL of a data directory, or any server. */
import pg from 'pg';
import { Client, describeConnection, eitherWay, type ServerConnection } from './connection.ts';
import { databaseErrorOrSame } from './database-error.ts';
import type { EmbeddedPostgres } from './embedded/keeper/use.ts';
import type { RoleName } from './rights.ts';
import { inspect, prepare, sessionError, sessionOf } from './session.ts';
import { withTransaction } from './transaction.ts';

export { toDatabaseError } from './database-error.ts';

export type DatabaseSettings =
  { kind: 'embedded'; dataDir: string } | { kind: 'server'; connection: ServerConnection };

export interface OpenOptions {
  /** Seen in pg_stat_activity. */
  applicationName?: string;
  /** Whose rights are needed, to say so where they are missing; the operator's unless told. */
  needs?: RoleName | undefined;
  /** Connections at most; 10 unless told. */
  max?: number;
  /** A query without an answer for so long fails, and its connection is closed; unlimited unless told. ms. */
  queryTimeoutMs?: number;
  /** What happens to idle connections and to the embedded server, for the log. */
  onNotice?: (text: string) => void;
  /** Gives up waiting for the embedded server to start. */
  signal?: AbortSignal;
}

export interface Database extends AsyncDisposable {
  readonly pool: pg.Pool;
  readonly kind: DatabaseSettings['kind'];
  /** `host:port/database`, with the directory of a unix socket as host: carries no password. */
  readonly describe: string;
}

/** Silence of a connection before the kernel probes it, ms. */
const keepAliveDelay = 10_000;
/** Longest wait for a free connection of the pool or for a new one, ms. */
const connectTimeout = 10_000;

/**
 * Connects once, so that a wrong address or password shows here. Throws DatabaseError: what `toDatabaseError` makes of
 * a failed connection (`database_missing`: `init` has to run first), or an `embedded_postgres_*` code.
 */
export async function openDatabase(settings: DatabaseSettings, options: OpenOptions = {}): Promise<Database> {
  const notice = options.onNotice ?? (() => undefined);
  if (settings.kind === 'server') return openPool('server', settings.connection, options, notice);

  const { useEmbeddedPostgres } = await import('./embedded/keeper/use.ts');
  let pool: pg.Pool | undefined;
  const embedded = await useEmbeddedPostgres({
    dataDir: settings.dataDir,
    onNotice: notice,
    // Restarted after a crash in another place: new connections of the pool go there.
    onMoved: ({ host, port }) => {
      if (pool) Object.assign(pool.options, { host, port });
    },
    ...(options.signal && { signal: options.signal }),
  });
  try {
    const database = await openPool(
      'embedded',
      { ...embedded.connection, ssl: false },
      options,
      notice,
      embedded,
    );
    pool = database.pool;
    return database;
  } catch (error) {
    await embedded[Symbol.asyncDispose]();
    throw error;
  }
}

async function openPool(
  kind: DatabaseSettings['kind'],
  connection: ServerConnection,
  options: OpenOptions,
  notice: (text: string) => void,
  embedded?: EmbeddedPostgres,
): Promise<Database> {
  const describe = describeConnection(connection);
  const pool = await eitherWay(connection, (oneWay) =>
    connect(oneWay, connection.session ?? {}, describe, options, notice),
  );
  let closing: Promise<void> | undefined;
  const close = async () => {
    await pool.end();
    await embedded?.[Symbol.asyncDispose]();
  };
  return { pool, kind, describe, [Symbol.asyncDispose]: () => (closing ??= close()) };
}

async function connect(
  connection: pg.ClientConfig,
  settings: Record<string, string>,
  describe: string,
  options: OpenOptions,
  notice: (text: string) => void,
): Promise<pg.Pool> {
  const pool: pg.Pool = new pg.Pool({
    Client,
    keepAlive: true,
    // The kernel's own two hours are too long to notice a host that is gone.
    keepAliveInitialDelayMillis: keepAliveDelay,
    ...(options.queryTimeoutMs !== undefined && { query_timeout: options.queryTimeoutMs }),
    connectionTimeoutMillis: connectTimeout,
    ...connection,
    types: int8AsNumber,
    application_name: options.applicationName ?? 'visionscale',
    max: options.max ?? 10,
    // eslint-disable-next-line @typescript-eslint/no-misused-promises -- the pool awaits it, its types do not say so
    onConnect: (client) => prepare(pool, client),
  });
  // Without a listener the loss of an idle connection would end the process; the next query gets a new one.
  pool.on('error', (error) => notice(`PostgreSQL at ${describe}: connection lost: ${error.message}`));
  try {
    const client = await pool.connect();
    try {
      await inspect(pool, client, settings, options.needs);
      await prepare(pool, client);
    } catch (error) {
      client.release(true);
      throw error;
    }
    client.release();
  } catch (error) {
    await pool.end();
    throw databaseErrorOrSame(error, describe);
  }
  adaptQuery(pool, describe);
  return pool;
}

/**
 * What `pool.query` throws says whether a retry can help and what to do, wherever it is called. Behind a pooler a
 * statement that needs other settings than its session may have is a transaction that brings them.
 */
function adaptQuery(pool: pg.Pool, where: string): void {
  const session = sessionOf(pool);
  const alone = pool.query.bind(pool) as (...args: unknown[]) => Promise<unknown>;
  const withSettings = (...args: unknown[]) =>
    withTransaction(pool, (client) => (client.query as (...args: unknown[]) => Promise<unknown>)(...args));
  const needsSettings = session?.pooled === true && Object.keys(session.set).length > 0;
  const query = needsSettings ? withSettings : alone;
  pool.query = ((...args: unknown[]) =>
    query(...args).catch((error: unknown) => {
      throw sessionError(pool, error, where);
    })) as typeof pool.query;
}

const { INT8 } = pg.types.builtins;
const int8Array = 1016;

/** Offsets, sizes and counts stay far below 2^53; a value that does not is an error, never a wrong number. */
function toNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} is beyond 2^53`);
  return value;
}

function parserOf(oid: number, format?: string): unknown {
  const standard: unknown = pg.types.getTypeParser(oid, format as 'text');
  if (format === 'binary') return standard;
  if (oid === (INT8 as number)) return toNumber;
  if (oid === int8Array) {
    const toTexts = standard as (text: string) => (string | null)[];
    return (text: string) => toTexts(text).map((item) => (item === null ? null : toNumber(item)));
  }
  return standard;
}

/** How columns become values: bigint as a number, for one pool rather than for every user of pg in the process. */
const int8AsNumber: pg.CustomTypesConfig = {
  getTypeParser: parserOf as typeof pg.types.getTypeParser,
};
