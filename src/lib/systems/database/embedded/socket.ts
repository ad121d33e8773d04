/** Where unix sockets lie, the server's and its keeper's: in directories that only their owner can enter, and root. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rmdirSync, rmSync } from 'node:fs';
import { lchown, mkdir, mkdtemp, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import type { Account } from './account.ts';
import { errorCode, writePrivate } from './files.ts';
import type { Files } from './files.ts';

/** A part of the socket's name. Each server has a directory of its own, so all can have the same. */
export const socketPort = 5432;

const socketName = `.s.PGSQL.${socketPort}`;
/** Of a socket's path, in bytes: macOS takes 103, Linux 107. */
const longestPath = 103;
/** Not TMPDIR, which may be as long as the data directory's path. */
const shortPlace = '/tmp/visionscale-db-';

/**
 * Makes the directory anew and empty: what a killed server has left there would stop the next one. It is
 * `<dataDir>/postgres/socket`; where that path is too long or its file system takes no sockets, one below /tmp, which
 * stays the same for as long as a keeper does not say `removeSocketDirectory`.
 */
export async function makeSocketDirectory(files: Files, account: Account): Promise<string> {
  const isShort = Buffer.byteLength(join(files.socket, socketName)) <= longestPath;
  // libpq takes a comma as the end of a host.
  if (isShort && !files.socket.includes(',')) {
    await renew(files.socket, account);
    if (await takesSockets(join(files.socket, probeName))) return files.socket;
    await clear(files.socket);
  }
  const previous = await recorded(files);
  if (previous !== null) {
    try {
      await renew(previous, account);
      return previous;
    } catch {
      // Somebody else has taken the name.
    }
  }
  const made = await mkdtemp(shortPlace);
  await giveTo(account, made);
  await writePrivate(files.socketElsewhere, made);
  return made;
}

/** Once no server runs. */
export async function removeSocketDirectory(files: Files): Promise<void> {
  const previous = await recorded(files);
  for (const directory of [files.socket, ...(previous === null ? [] : [previous])]) {
    await clear(directory).catch(() => undefined);
  }
  await rm(files.socketElsewhere, { force: true });
}

async function recorded({ socketElsewhere }: Files): Promise<string | null> {
  const text = await readFile(socketElsewhere, 'utf8').catch(() => '');
  return text.startsWith(shortPlace) ? text : null;
}

async function renew(directory: string, account: Account): Promise<void> {
  await clear(directory);
  await mkdir(directory, { mode: 0o700 });
  await giveTo(account, directory);
}

/** By name and without following links: the directory may be another user's, and we root. */
async function clear(directory: string): Promise<void> {
  for (const name of [socketName, `${socketName}.lock`, probeName]) {
    await rm(join(directory, name), { force: true });
  }
  await rmdir(directory).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error;
  });
}

async function giveTo(account: Account, directory: string): Promise<void> {
  if (account.kind === 'switched') await lchown(directory, account.uid, account.gid);
}

const probeName = 'probe';

/** Shared folders of virtual machines and some network drives do not. */
export async function takesSockets(path: string): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(path);
    await once(probe, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}

/** A new path for the keeper's door, beside its lock, or where that is too long, below /tmp. */
export async function pathForDoor({ root }: Files): Promise<string> {
  const path = join(root, `door-${randomBytes(6).toString('hex')}`);
  if (Buffer.byteLength(path) <= longestPath && (await takesSockets(path))) return path;
  const directory = await mkdtemp(shortPlace);
  await giveToOwnerOf(root, directory);
  return join(directory, 'door');
}

/** What root makes for another user's data is that user's, who may come in beside root. */
export async function giveToOwnerOf(root: string, path: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(root);
  if (uid !== 0) await lchown(path, uid, gid);
}

/** Also one that a killed keeper has left; anything else stays. */
export function removeDoor({ root }: Files, at: string | number): void {
  if (typeof at !== 'string') return;
  const isBelowTmp = at.startsWith(shortPlace) && dirname(dirname(at)) === '/tmp';
  if (!isBelowTmp && !(dirname(at) === root && at.startsWith(join(root, 'door-')))) return;
  try {
    rmSync(at, { force: true });
    if (isBelowTmp) rmdirSync(dirname(at));
  } catch {
    // Another user's by now.
  }
}
