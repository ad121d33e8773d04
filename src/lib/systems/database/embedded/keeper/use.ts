/** Uses the embedded PostgreSQL of a data directory, together with every other process that does. */
import { resolve } from 'node:path';
import { DatabaseError, errorMessage } from '../../../../base/errors.ts';
import { describeConnection } from '../../connection.ts';
import { createDatabaseIfMissing } from '../../create.ts';
import { enter } from './enter.ts';
import type { Stay } from './enter.ts';
import type { Connection, KeeperSettings } from './protocol.ts';

export interface EmbeddedOptions {
  dataDir: string;
  /** Starts and losses of the server, for the log. */
  onNotice?: (text: string) => void;
  /** The server was started again after a crash and could not get the same port or directory. */
  onMoved?: (connection: Connection) => void;
  signal?: AbortSignal;
  /** How long to wait for the server to be ready, ms. */
  startTimeoutMs?: number;
  /** How long the server stays after its last user has gone, ms. */
  lingerMs?: number;
  /** For tests: see KeeperSettings. */
  internal?: Pick<KeeperSettings, 'account' | 'listen' | 'packageDirectory'>;
}

export interface EmbeddedPostgres extends AsyncDisposable {
  readonly connection: Connection;
}

/**
 * Starts the server where it does not run, and makes its database. Disposing leaves it; the last one to leave, or to be
 * killed, stops it. Should the server or its keeper be killed meanwhile, they are started again behind the scenes.
 * Throws DatabaseError with an `embedded_postgres_*` or `data_dir_*` code.
 */
export async function useEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const notice = options.onNotice ?? (() => undefined);
  const settings: KeeperSettings = {
    dataDir: resolve(options.dataDir),
    lingerMs: options.lingerMs ?? 1_000,
    ...options.internal,
  };
  const closing = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, closing.signal]) : closing.signal;
  const timeoutMs = options.startTimeoutMs ?? 120_000;

  let stay = await enter({ settings, signal, timeoutMs, onMoved: moved });
  let connection = stay.connection;
  function moved(next: Connection): void {
    const elsewhere = next.port !== connection.port || next.host !== connection.host;
    connection = next;
    notice(`the embedded PostgreSQL has been started again (${describeConnection(next)})`);
    if (elsewhere) options.onMoved?.(next);
  }
  const comeBack = (current: Stay) => {
    void current.lost.then(async () => {
      if (closing.signal.aborted) return;
      notice('the keeper of the embedded PostgreSQL is gone: starting another');
      try {
        stay = await enter({ settings, signal: closing.signal, timeoutMs, onMoved: moved });
        moved(stay.connection);
        comeBack(stay);
      } catch (error) {
        if (!closing.signal.aborted) notice(`the embedded PostgreSQL is gone: ${errorMessage(error)}`);
      }
    });
  };
  comeBack(stay);

  try {
    await createDatabaseIfMissing({ ...connection, ssl: false });
  } catch (error) {
    closing.abort();
    await stay.leave();
    throw error instanceof DatabaseError ? error : new Error(errorMessage(error), { cause: error });
  }
  return {
    get connection() {
      return connection;
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await stay.leave();
    },
  };
}
