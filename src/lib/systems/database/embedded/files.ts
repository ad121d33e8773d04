/** Where things lie below `<dataDir>/postgres`, how files are made there, and the keeper's log. */
import { randomBytes } from 'node:crypto';
import { appendFileSync, chownSync, renameSync, statSync } from 'node:fs';
import { chown, lstat, open, rename, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DatabaseError, errorMessage } from '../../../base/errors.ts';
import { makeDirectory } from '../../../base/files/make-directory.ts';

export interface Files {
  dataDir: string;
  /** Holds everything below; the keepers' locks lie directly in it. */
  root: string;
  /** PostgreSQL's own data directory. */
  data: string;
  log: string;
  password: string;
  /** The directory of the server's unix socket, where its path is short enough. */
  socket: string;
  /** Names the directory of the socket where it is another one. */
  socketElsewhere: string;
  /** The TCP port used last: asked for again, so that open pools find a restarted server. */
  port: string;
  /** Binaries copied from a package whose directory cannot be written. */
  program: string;
}

export function filesIn(dataDir: string): Files {
  const root = join(resolve(dataDir), 'postgres');
  return {
    dataDir: resolve(dataDir),
    root,
    data: join(root, 'data'),
    log: join(root, 'keeper.log'),
    password: join(root, 'password'),
    socket: join(root, 'socket'),
    socketElsewhere: join(root, 'socket-elsewhere'),
    port: join(root, 'port'),
    program: join(root, 'program'),
  };
}

/** Makes `<dataDir>/postgres`, for its owner alone. Throws DatabaseError `data_dir_unusable`. */
export async function makeRoot({ dataDir, root }: Files): Promise<void> {
  try {
    await makeDirectory(dataDir, 0o700);
    await makeDirectory(root, 0o700);
    await giveToOwnerOfParent(root);
  } catch (error) {
    throw unusable(dataDir, error);
  }
}

/** Replaces a file atomically, readable by its owner alone. */
export async function writePrivate(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  await createPrivate(draft, text);
  await rename(draft, path);
}

/** Writes a new file, readable by its owner alone. */
export async function createPrivate(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await giveToOwnerOfParent(path);
}

/** What root makes in another user's directory is that user's, or they could not use it afterwards. */
export async function giveToOwnerOfParent(path: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const parent = await stat(dirname(path));
  if ((await lstat(path)).uid !== parent.uid) await chown(path, parent.uid, parent.gid);
}

/** The name of a failed system call's error. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

const reasons: Record<string, [message: string, hint: string]> = {
  ENOSPC: ['the disk is full', 'Free some space, or choose another place with --data-dir.'],
  EDQUOT: ['the disk quota is used up', 'Free some space, or choose another place with --data-dir.'],
  EROFS: ['the file system is read-only', 'Choose another place with --data-dir.'],
  EACCES: ['access is denied', 'Run as the user it belongs to, or choose another place with --data-dir.'],
  EPERM: ['access is denied', 'Run as the user it belongs to, or choose another place with --data-dir.'],
  ENOTDIR: ['a part of the path is a file', 'Choose another place with --data-dir.'],
  EEXIST: ['it is a file', 'Choose another place with --data-dir.'],
};

/** The error for a data directory that cannot be written. */
export function unusable(dataDir: string, cause: unknown): DatabaseError {
  const code = errorCode(cause);
  const [reason, hint] = (code !== undefined && reasons[code]) || [
    errorMessage(cause),
    'Choose another --data-dir.',
  ];
  return new DatabaseError(`the data directory ${dataDir} cannot be used: ${reason}`, {
    code: 'data_dir_unusable',
    hint,
    cause,
  });
}

const largest = 1_000_000;

/** The keeper's log: what it does and what PostgreSQL says, kept below a size. */
export interface Log {
  (text: string): void;
}

/** Lines go to `path`; at 1 MB the file becomes `<path>.1`, in place of an older one. */
export function openKeeperLog(path: string): Log {
  return (text) => {
    try {
      const size = statSync(path, { throwIfNoEntry: false })?.size;
      if (size !== undefined && size > largest) renameSync(path, `${path}.1`);
      appendFileSync(path, `${new Date().toISOString()} ${text}\n`, { mode: 0o600 });
      if (size === undefined || size > largest) giveToOwner(path);
    } catch {
      // A full disk must not end the server that may still work on it.
    }
  };
}

function giveToOwner(path: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(dirname(path));
  if (uid !== 0) chownSync(path, uid, gid);
}
