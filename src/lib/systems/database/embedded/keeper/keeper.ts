/**
 * The keeper: a process of its own that runs the PostgreSQL of one data directory for all processes that use it, and
 * stops it when the last of them has gone, however it went. Spawned by `use.ts`; its argument is KeeperSettings.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseError } from '../../../../base/errors.ts';
import { waitUntilThere } from '../../../../base/flow/waiting.ts';
import { chooseAccount, reachableProgram } from '../account.ts';
import { errorCode, filesIn, unusable, type Files, openKeeperLog, type Log } from '../files.ts';
import { initialize, user } from '../initialize.ts';
import { commandLine, processStart } from '../processes.ts';
import { findProgram, programIn, withLinks } from '../program.ts';
import { startServer, type Server, type ServerOptions } from '../server.ts';
import { giveToOwnerOf, pathForDoor, removeDoor, removeSocketDirectory } from '../socket.ts';
import { openDoor, type Door } from './door.ts';
import { takeLock } from './lock.ts';
import { toFailure, type KeeperSettings, type SpawnMessage } from './protocol.ts';

export const database = 'my_db';

/** A server that ends by itself is started again, but not for ever. */
const mostRestarts = 5;
const longRun = 60_000;
/** How long guests may stay after the first SIGTERM, ms. */
const farewell = 10_000;

async function main(settings: KeeperSettings): Promise<void> {
  const files = filesIn(settings.dataDir);
  const log = openKeeperLog(files.log);
  process.on('uncaughtException', (error) => {
    log(`keeper: ${error.stack ?? error.message}`);
    process.exit(1); // the watchdog stops the server, the guests start another keeper
  });

  let door: Door;
  let lock;
  try {
    door = await openDoorFor(settings, files);
    lock = await takeLock(files.root, door);
  } catch (error) {
    return tellSpawner({ state: 'failed', error: toFailure(unusable(settings.dataDir, error)) });
  }
  if (!lock) return tellSpawner({ state: 'lost' });
  if (lock.previous) removeDoor(files, lock.previous.at);
  log(`keeper ${process.pid} started`);
  await tellSpawner({ state: 'holding' });

  const leave = new AbortController();
  void door.empty.then(() => leave.abort());
  stopOnSignals(door, leave, log);
  try {
    const options = await prepare(settings, leave.signal, log);
    await keepRunning(options, door, leave.signal).finally(() => removeSocketDirectory(options.files));
    door.tell({ state: 'stopping' });
  } catch (error) {
    log(`failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    if (!leave.signal.aborted) {
      door.tell({ state: 'failed', error: toFailure(error) });
      await door.empty; // until everybody knows; whoever spawned us may not have come in yet
    }
  }
  await lock.release();
  log(`keeper ${process.pid} ended`);
}

function listensOnTcp(settings: KeeperSettings): boolean {
  return settings.listen === 'tcp' || process.platform === 'win32';
}

async function openDoorFor(settings: KeeperSettings, files: Files): Promise<Door> {
  if (listensOnTcp(settings)) return openDoor(settings);
  const path = await pathForDoor(files);
  process.once('exit', () => removeDoor(files, path));
  const door = await openDoor({ lingerMs: settings.lingerMs, path });
  await giveToOwnerOf(files.root, path);
  return door;
}

interface Prepared extends ServerOptions {
  password: string;
}

async function prepare(settings: KeeperSettings, signal: AbortSignal, log: Log): Promise<Prepared> {
  const files = filesIn(settings.dataDir);
  const found = await (settings.packageDirectory === undefined
    ? findProgram()
    : programIn(settings.packageDirectory));
  await stopOrphan(files, log);
  try {
    const account = await chooseAccount(files, settings.account);
    const program = await reachableProgram(await withLinks(found, files.program), account, files);
    log(`PostgreSQL ${program.version} in ${program.directory}, account: ${account.kind}`);
    const password = await initialize({ files, program, account, signal });
    return { files, program, account, log, tcp: listensOnTcp(settings), password };
  } catch (error) {
    const isAboutFiles = !(error instanceof DatabaseError) && errorCode(error) !== undefined;
    throw isAboutFiles ? unusable(settings.dataDir, error) : error;
  }
}

/** Until the guests have left; whatever happens, no server is running afterwards. */
async function keepRunning(options: Prepared, door: Door, leave: AbortSignal): Promise<void> {
  const left = new Promise<void>((resolve) =>
    leave.addEventListener('abort', () => resolve(), { once: true }),
  );
  for (let restarts = 0; !leave.aborted;) {
    const server = await startServer(options);
    const startedAt = performance.now();
    try {
      door.tell({ state: 'ready', connection: connectionTo(server, options.password) });
      await Promise.race([server.exited, left]);
    } finally {
      await server.stop();
    }
    if (leave.aborted) return;
    restarts = performance.now() - startedAt > longRun ? 0 : restarts + 1;
    if (restarts > mostRestarts) {
      throw new DatabaseError(`the embedded PostgreSQL ended ${restarts} times in a row`, {
        code: 'embedded_postgres_failed',
        hint: `See ${options.files.log}.`,
      });
    }
    options.log('PostgreSQL ended by itself: starting it again');
    door.tell({ state: 'starting' });
  }
}

function connectionTo({ host, port }: Server, password: string) {
  return { host, port, user, password, database };
}

/** The first signal lets the guests finish, the second stops at once. */
function stopOnSignals(door: Door, leave: AbortController, log: Log): void {
  let signals = 0;
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      log(`${signal} with ${door.guests()} guest(s) inside`);
      door.shut();
      if (++signals > 1 || door.guests() === 0) leave.abort();
      else setTimeout(() => leave.abort(), farewell).unref();
    });
  }
}

/** The spawner may be gone already; then nobody needs to know. */
function tellSpawner(message: SpawnMessage): Promise<void> {
  return new Promise((resolve) => {
    if (!process.send) resolve();
    process.send?.(message, undefined, undefined, () => {
      if (process.connected) process.disconnect();
      resolve();
    });
  });
}

process.title = 'visionscale-keeper';
await main(JSON.parse(process.argv[2] ?? '{}') as KeeperSettings);
// Whatever still holds a handle (guests that were told to go) does not hold the process.
setImmediate(() => process.exit(0));

/** Stops it cleanly, so that a new one can start. Must hold the lock: nobody else starts a server meanwhile. */
async function stopOrphan({ data }: Files, log: Log): Promise<void> {
  const file = join(data, 'postmaster.pid');
  const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1) return;
  const started = await processStart(pid);
  if (started === null) return; // PostgreSQL itself clears up after a dead one
  if (!(await commandLine(pid)).includes(data)) {
    log(`postmaster.pid names process ${pid}, which is not a server of this directory: removed`);
    await rm(file, { force: true });
    return;
  }
  for (const [signal, patience] of [
    ['SIGINT', 15_000],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ] as const) {
    log(`a PostgreSQL was left behind (process ${pid}): ${signal}`);
    process.kill(pid, signal);
    const isOver = async () => ((await processStart(pid)) !== started ? true : null);
    if (await waitUntilThere(isOver, { everyMs: 20, forMs: patience })) return;
  }
}
