/** What keeper and guests say to each other: one JSON object a line over a unix socket (Windows: a loopback connection). */
import type { Readable } from 'node:stream';
import { DatabaseError } from '../../../../base/errors.ts';

export interface Connection {
  /** The directory of its unix socket, or an address. */
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

/** A guest's only line. As long as its connection stays open, the server runs. */
export interface GuestMessage {
  token: string;
}

/** The keeper's state: told on entry and at every change. After `stopping` or `failed` it hangs up. */
export type KeeperMessage =
  | { state: 'starting' }
  | { state: 'ready'; connection: Connection }
  | { state: 'stopping' }
  | { state: 'failed'; error: Failure };

/** What a keeper tells the process that spawned it, over IPC, before anybody can connect to it. */
export type SpawnMessage = { state: 'holding' } | { state: 'lost' } | { state: 'failed'; error: Failure };

/** Given to the keeper as JSON in its first argument; holds no secret. */
export interface KeeperSettings {
  dataDir: string;
  /** How long the server stays after its last guest has gone, ms. */
  lingerMs: number;
  /** A forced way of running as root: for tests. */
  account?: 'switched';
  /** Listens as where there are no unix sockets: for tests. */
  listen?: 'tcp';
  /** An unpacked package in place of the installed one: for tests. */
  packageDirectory?: string;
}

export interface Failure {
  code: string;
  message: string;
  retryable: boolean;
  hint?: string;
}

export function toFailure(error: unknown): Failure {
  if (!(error instanceof DatabaseError)) {
    const message = `the embedded PostgreSQL could not be started: ${error instanceof Error ? error.message : String(error)}`;
    return { code: 'embedded_postgres_failed', message, retryable: false };
  }
  const { code, message, retryable, hint } = error;
  return { code, message, retryable, ...(hint !== undefined && { hint }) };
}

export function fromFailure({ message, ...details }: Failure): DatabaseError {
  return new DatabaseError(message, details);
}

const longestLine = 16_384;

/** Calls `onLine` for each line; a line beyond 16 KiB ends the stream with an error. */
export function readLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(onLine);
    if (rest.length > longestLine) stream.destroy(new Error('line too long'));
  });
}

/** Null where the text is no JSON object. */
export function parseKeeperMessage<T>(line: string): T | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as T) : null;
  } catch {
    return null;
  }
}
