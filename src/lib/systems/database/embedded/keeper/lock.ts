/**
 * Who keeps the server of a data directory: a lock of numbered files that survives every crash. `up` has another one.
 *
 * `keeper.<n>.json` with the highest n names the holder. A new one takes over by creating n + 1, which the file system
 * grants to one process only, and then looks again: only the highest is the holder. The highest is never removed, so
 * numbers never come back; a holder that leaves marks its file instead.
 */
import { randomBytes } from 'node:crypto';
import { link, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { createPrivate, errorCode, writePrivate } from '../files.ts';
import { processSpace, processStart } from '../processes.ts';

/** How to reach the keeper, and how to tell whether it still lives. The token must not reach a log. */
export interface KeeperHolder {
  pid: number;
  started: string;
  space: string;
  at: string | number;
  token: string;
  released: boolean;
}

export interface FoundHolder extends KeeperHolder {
  generation: number;
  /** Since it last gave a sign of life, ms. */
  silentMs: number;
}

export interface Lock {
  /** Who held it before. */
  previous: KeeperHolder | null;
  release(): Promise<void>;
}

/** How to reach a keeper. */
interface Address {
  /** The path of a unix socket, or a port on loopback. */
  at: string | number;
  token: string;
}

const keeper = 'keeper';
/** How often a holder touches its file, and the silence after which one in another container counts as gone, ms. */
const signOfLife = 2_000;
const longSilence = 10_000;

async function generations(root: string, name: string): Promise<number[]> {
  const names = await readdir(root);
  const fileName = new RegExp(`^${name}\\.(\\d+)\\.json$`);
  return names.map((name) => Number(fileName.exec(name)?.[1] ?? 0)).filter((generation) => generation > 0);
}

function pathOf(root: string, name: string, generation: number): string {
  return join(root, `${name}.${generation}.json`);
}

/** The latest holder, alive or not; null where there never was one. `name`: letters. */
export async function findHolder(root: string, name = keeper): Promise<FoundHolder | null> {
  for (;;) {
    const generation = Math.max(0, ...(await generations(root, name)));
    if (generation === 0) return null;
    const path = pathOf(root, name, generation);
    try {
      const { mtimeMs } = await stat(path);
      const holder = parseHolder(await readFile(path, 'utf8'));
      return { ...holder, generation, silentMs: Date.now() - mtimeMs };
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error; // ENOENT: a newer holder has just tidied up
    }
  }
}

/** What cannot be read is what a power failure has left: it holds nothing. */
function parseHolder(text: string): KeeperHolder {
  try {
    // An earlier version wrote `port`; its keeper may still run.
    const holder = JSON.parse(text) as KeeperHolder & { port?: number };
    return { ...holder, at: holder.at ?? holder.port ?? 0 };
  } catch {
    return { pid: 0, started: '', space: '', at: 0, token: '', released: true };
  }
}

/** Whether a holder lives in another container or on another host, where its pid means nothing here. */
export async function isElsewhere(holder: KeeperHolder): Promise<boolean> {
  return holder.space !== (await processSpace());
}

export async function isGone(holder: FoundHolder): Promise<boolean> {
  if (holder.released) return true;
  if (await isElsewhere(holder)) return holder.silentMs > longSilence;
  return (await processStart(holder.pid)) !== holder.started;
}

/** Null where another process holds it or was quicker. */
export async function takeLock(root: string, address: Address, name = keeper): Promise<Lock | null> {
  const previous = await findHolder(root, name);
  if (previous && !(await isGone(previous))) return null;

  const holder: KeeperHolder = {
    ...address,
    pid: process.pid,
    started: (await processStart(process.pid)) ?? 'unknown',
    space: await processSpace(),
    released: false,
  };
  const generation = (previous?.generation ?? 0) + 1;
  const path = pathOf(root, name, generation);
  const draft = join(root, `${name}.${randomBytes(6).toString('hex')}.tmp`);
  await createPrivate(draft, JSON.stringify(holder));
  try {
    await link(draft, path); // appears whole or not at all
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return null;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
  const all = await generations(root, name);
  if (Math.max(...all) > generation) {
    await rm(path, { force: true });
    return null;
  }
  await Promise.all(all.filter((n) => n < generation).map((n) => rm(pathOf(root, name, n), { force: true })));

  const touch = () => utimes(path, new Date(), new Date()).catch(() => undefined);
  const heartbeat = setInterval(() => void touch(), signOfLife).unref();
  return {
    previous,
    async release() {
      clearInterval(heartbeat);
      await writePrivate(path, JSON.stringify({ ...holder, released: true })).catch(() => undefined);
    },
  };
}
