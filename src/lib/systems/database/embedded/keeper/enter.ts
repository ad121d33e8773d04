/** Gets into a running server, starting a keeper where there is none: one of many that may try at once. */
import { spawn, type ChildProcess } from 'node:child_process';
import { open } from 'node:fs/promises';
import { connect } from 'node:net';
import { parse } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../../../../base/errors.ts';
import { waitUntilThere } from '../../../../base/flow/waiting.ts';
import { compiledFile } from '../../../../base/package.ts';
import { filesIn, makeRoot, unusable, giveToOwnerOfParent, type Files } from '../files.ts';
import { cleanEnvironment } from '../processes.ts';
import { findHolder, isElsewhere, isGone, type FoundHolder } from './lock.ts';
import {
  fromFailure,
  parseKeeperMessage,
  readLines,
  type Connection,
  type KeeperMessage,
  type KeeperSettings,
  type SpawnMessage,
} from './protocol.ts';

export interface EnterOptions {
  settings: KeeperSettings;
  timeoutMs: number;
  signal: AbortSignal;
  /** The keeper has started its server again. */
  onMoved: (connection: Connection) => void;
}

/** As long as it lasts, the server runs. */
export interface Stay {
  connection: Connection;
  /** Resolves when the keeper has hung up: killed, or stopped. */
  lost: Promise<void>;
  leave(): Promise<void>;
}

const retryAfter = 25;

export async function enter(options: EnterOptions): Promise<Stay> {
  const { settings, signal, timeoutMs } = options;
  const files = filesIn(settings.dataDir);
  const deadline = performance.now() + timeoutMs;
  await makeRoot(files);
  for (;;) {
    signal.throwIfAborted();
    const holder = await findHolder(files.root).catch((error: unknown) => {
      throw unusable(files.dataDir, error);
    });
    if (!holder || (await isGone(holder))) {
      await spawnKeeper(settings, files);
      continue;
    }
    const stay = await knock(holder, options, deadline);
    if (stay) return stay;
    if (performance.now() > deadline) throw await tooLate(holder, settings, timeoutMs);
    await sleep(retryAfter);
  }
}

/** Null where the keeper is about to go, or not the one that left this address. */
function knock(holder: FoundHolder, options: EnterOptions, deadline: number): Promise<Stay | null> {
  const { signal, onMoved } = options;
  return new Promise((resolve, reject) => {
    const socket = connect(
      typeof holder.at === 'string' ? { path: holder.at } : { host: '127.0.0.1', port: holder.at },
    );
    let stay: Stay | undefined;
    let hungUp: () => void;
    const lost = new Promise<void>((done) => (hungUp = done));
    const giveUp = setTimeout(() => socket.destroy(), Math.max(0, deadline - performance.now()));
    const abort = () => socket.destroy();
    signal.addEventListener('abort', abort, { once: true });

    const inside = (connection: Connection) => {
      clearTimeout(giveUp);
      signal.removeEventListener('abort', abort);
      socket.unref(); // a command that has done its work ends, even one that forgets to leave
      stay = { connection, lost, leave: () => leave(socket, lost) };
      resolve(stay);
    };
    socket.once('connect', () => socket.write(`${JSON.stringify({ token: holder.token })}\n`));
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', () => {
      clearTimeout(giveUp);
      signal.removeEventListener('abort', abort);
      hungUp();
      resolve(null);
    });
    readLines(socket, (line) => {
      const message = parseKeeperMessage<KeeperMessage>(line);
      if (message?.state === 'failed') {
        reject(fromFailure(message.error));
        socket.destroy();
      }
      if (message?.state !== 'ready') return;
      if (stay) onMoved(message.connection);
      else inside(message.connection);
    });
  });
}

async function leave(socket: ReturnType<typeof connect>, lost: Promise<void>): Promise<void> {
  socket.ref();
  socket.destroy();
  await lost;
}

async function tooLate(
  holder: FoundHolder,
  settings: KeeperSettings,
  timeoutMs: number,
): Promise<DatabaseError> {
  const seconds = timeoutMs / 1000;
  if (await isElsewhere(holder)) {
    return new DatabaseError(`${settings.dataDir} is in use on another host or in another container`, {
      code: 'data_dir_in_use',
      retryable: true,
      hint: 'The embedded PostgreSQL serves one machine. Use another --data-dir, or a server: DATABASE_URL.',
    });
  }
  return new DatabaseError(`the embedded PostgreSQL was not ready after ${seconds} s`, {
    code: 'embedded_postgres_slow',
    retryable: true,
    hint: `See ${filesIn(settings.dataDir).log}; its keeper is process ${holder.pid}.`,
  });
}

/** Resolves when no server runs in the data directory any more; false after `timeoutMs`. */
export async function stopped(dataDir: string, timeoutMs: number): Promise<boolean> {
  const { root } = filesIn(dataDir);
  const isGoneNow = async () => {
    const holder = await findHolder(root).catch(() => null); // where there is no directory there is no server
    return !holder || (await isGone(holder)) ? true : null;
  };
  return (await waitUntilThere(isGoneNow, { everyMs: retryAfter, forMs: timeoutMs })) ?? false;
}

/** Resolves when it holds the lock, or has found that another keeper does. */
async function spawnKeeper(settings: KeeperSettings, files: Files): Promise<void> {
  const entry = compiledFile('lib/systems/database/embedded/keeper/keeper');
  // Its own log goes the same way; this is for what Node says when it cannot even start.
  const output = await open(files.log, 'a', 0o600).catch((error: unknown) => {
    throw unusable(settings.dataDir, error);
  });
  try {
    await giveToOwnerOfParent(files.log);
    const child = spawn(process.execPath, [entry, JSON.stringify(settings)], {
      detached: true, // a session of its own: no Ctrl-C, no hang-up of this terminal
      cwd: parse(process.cwd()).root,
      env: cleanEnvironment,
      stdio: ['ignore', output.fd, output.fd, 'ipc'],
    });
    await firstWord(child, files);
    child.unref();
  } finally {
    await output.close();
  }
}

function firstWord(child: ChildProcess, files: Files): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      reject(
        new DatabaseError(`the keeper of the embedded PostgreSQL ended (${signal ?? `exit ${code}`})`, {
          code: 'embedded_postgres_failed',
          retryable: signal !== null,
          hint: `See ${files.log}.`,
        }),
      );
    });
    child.once('message', (message: SpawnMessage) => {
      child.removeAllListeners('exit');
      if (child.connected) child.disconnect();
      if (message.state === 'failed') reject(fromFailure(message.error));
      else resolve();
    });
  });
}
