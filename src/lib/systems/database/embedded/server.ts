/** One run of the PostgreSQL server: started, ready, stopped. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from './account.ts';
import { writePrivate, type Files, type Log } from './files.ts';
import { cleanEnvironment } from './processes.ts';
import { type Program, startFailure } from './program.ts';
import { makeSocketDirectory, socketPort } from './socket.ts';

export interface ServerOptions {
  files: Files;
  program: Program;
  account: Account;
  log: Log;
  /** On loopback, where there are no unix sockets. */
  tcp: boolean;
}

/** Where it listens. */
interface Address {
  /** The directory of the unix socket, or a loopback address. */
  host: string;
  port: number;
}

export interface Server extends Address {
  /** Resolves when the process has ended, for whatever reason. */
  exited: Promise<void>;
  /** Ends sessions and writes everything out; idempotent. Where that takes too long, the next start recovers. */
  stop(): Promise<void>;
}

/** Sizes for a server that shares its machine with the rest of the tool. Durability (fsync) stays at its default. */
const settings = {
  max_connections: '100',
  shared_buffers: '128MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  logging_collector: 'off',
  log_destination: 'stderr',
  log_line_prefix: '[%p] ', // the keeper adds the time
};

const portTaken = /could not bind|Address already in use|could not create any TCP\/IP sockets/;
/** Backends of a server that was killed are still about to notice. */
const stillEnding = /is still in use|lock file "postmaster.pid" already exists/;
const attempts = 40;

/** Throws DatabaseError `embedded_postgres_failed` or `data_dir_unusable`. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { files, account, tcp } = options;
  let port = tcp ? ((await lastPort(files)) ?? (await freePort())) : socketPort;
  for (let attempt = 1; ; attempt++) {
    const host = tcp ? '127.0.0.1' : await makeSocketDirectory(files, account);
    const started = await tryToStart(options, { host, port });
    if (typeof started !== 'string') {
      if (tcp) await writePrivate(files.port, String(port));
      return started;
    }
    if (attempt >= attempts) throw startFailure(files, 'postgres', started);
    if (tcp && portTaken.test(started)) port = await freePort();
    else if (stillEnding.test(started)) await sleep(250);
    else throw startFailure(files, 'postgres', started);
  }
}

/** PostgreSQL's settings. The socket is its owner's alone, as the directory is. */
function listenOn({ host, port }: Address, tcp: boolean): Record<string, string> {
  const directory = `"${host.replaceAll('"', '""')}"`; // an element of a list
  const where = tcp
    ? { listen_addresses: host, unix_socket_directories: '' }
    : { listen_addresses: '', unix_socket_directories: directory, unix_socket_permissions: '0700' };
  return { ...where, port: String(port) };
}

/** A running server, or what it wrote before it ended. */
async function tryToStart(options: ServerOptions, address: Address): Promise<Server | string> {
  const { files, program, account, log, tcp } = options;
  const [file, args] = account.wrap(join(program.directory, 'bin/postgres'), [
    ...['-D', files.data],
    ...Object.entries({ ...settings, ...listenOn(address, tcp) }).flatMap(([name, value]) => [
      '-c',
      `${name}=${value}`,
    ]),
  ]);
  const child = spawn(file, args, {
    ...account.spawn,
    env: cleanEnvironment,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const lastLines: string[] = [];
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      lastLines.push(error.message);
      resolve();
    });
    child.once('close', () => resolve());
  });
  const ready = new Promise<void>((resolve) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      log(`postgres: ${line}`);
      lastLines.push(line);
      if (lastLines.length > 20) lastLines.shift();
      if (line.includes('database system is ready to accept connections')) resolve();
    });
  });
  const watchdog = watch(child);
  void exited.then(() => watchdog.dismiss());

  const isReady = await Promise.race([ready.then(() => true), exited.then(() => false)]);
  if (!isReady) return lastLines.join('\n');
  let stopping: Promise<void> | undefined;
  return { ...address, exited, stop: () => (stopping ??= stop(child, exited, log)) };
}

/** Fast shutdown, then immediate, then none of its business any more. */
async function stop(child: ChildProcess, exited: Promise<void>, log: Log): Promise<void> {
  for (const [signal, patience] of [
    ['SIGINT', 15_000],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ] as const) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    log(`stopping PostgreSQL (${signal})`);
    child.kill(signal);
    const timer = new AbortController();
    await Promise.race([exited, sleep(patience, undefined, { signal: timer.signal }).catch(() => undefined)]);
    timer.abort();
  }
  await exited;
}

async function lastPort({ port }: Files): Promise<number | null> {
  const number = Number(await readFile(port, 'utf8').catch(() => ''));
  return Number.isInteger(number) && number >= 1024 && number < 65_536 ? number : null;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/**
 * A shell that waits for the end of its input, which comes when the keeper ends in any way; then fast shutdown, and
 * after 15 s the immediate one.
 */
const script = `
trap '' HUP INT TERM
read -r _
kill -INT "$1" 2>/dev/null || exit 0
n=0
while kill -0 "$1" 2>/dev/null; do
  n=$((n + 1))
  if [ "$n" -gt 75 ]; then kill -QUIT "$1" 2>/dev/null; exit 0; fi
  sleep 0.2
done
`;

/** Stops PostgreSQL when the keeper is killed and cannot do it any more. */
interface Watchdog {
  dismiss(): void;
}

/** Without a shell (Windows) nobody watches: the next start deals with a server that was left behind. */
function watch(server: ChildProcess): Watchdog {
  if (server.pid === undefined || process.platform === 'win32') return { dismiss: () => undefined };
  const shell = spawn('/bin/sh', ['-c', script, 'watchdog', String(server.pid)], {
    env: cleanEnvironment,
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true, // out of reach of a signal to the keeper's process group
  });
  shell.on('error', () => undefined);
  shell.stdin.on('error', () => undefined);
  return { dismiss: () => void shell.kill('SIGKILL') };
}
