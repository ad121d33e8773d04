/** Which account PostgreSQL runs under: it refuses root, so root runs it as nobody, in one of two ways. */
import { execFile } from 'node:child_process';
import { chmod, chown, lchown, readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DatabaseError } from '../../errors.ts';
import type { Files } from './files.ts';
import { cleanEnvironment } from './processes.ts';

const run = promisify(execFile);
const nobody = 65534;

/**
 * `own`: the caller's, who is not root. `namespace`: nobody inside a user namespace, where the files go on belonging to
 * root. `switched`: another user id, which must be able to reach binaries and data.
 */
export interface Account {
  kind: 'own' | 'namespace' | 'switched';
  /** Whom files have to belong to, and with whose rights they are reached. */
  uid: number;
  gid: number;
  /** What to spawn in place of a command. */
  wrap(file: string, args: string[]): [file: string, args: string[]];
  /** Options for spawn. */
  spawn: { uid?: number; gid?: number };
}

const asIs: Account['wrap'] = (file, args) => [file, args];

/** `force` takes the second way where the first would do: for tests. */
export async function chooseAccount(files: Files, force?: 'switched'): Promise<Account> {
  const me = process.getuid?.() ?? -1;
  if (me !== 0) {
    return { kind: 'own', uid: me, gid: process.getgid?.() ?? -1, wrap: await wrapFor(me), spawn: {} };
  }

  // Data that belongs to somebody stays theirs: root may look in on an ordinary user's directory.
  const owner = (await stat(files.data).catch(() => null)) ?? (await stat(files.root));
  if (owner.uid === 0 && force === undefined && (await namespaceWorks())) {
    return { kind: 'namespace', uid: 0, gid: 0, wrap: inNamespace, spawn: {} };
  }
  const user = owner.uid === 0 ? { uid: nobody, gid: nobody } : { uid: owner.uid, gid: owner.gid };
  return { kind: 'switched', ...user, wrap: await wrapFor(user.uid), spawn: user };
}

function inNamespace(file: string, args: string[]): [string, string[]] {
  const identity = ['-U', `--map-user=${nobody}`, `--map-group=${nobody}`];
  return ['unshare', [...identity, '--', file, ...args]];
}

/** initdb insists on a user with a name; containers run under ids that have none. */
async function wrapFor(uid: number): Promise<Account['wrap']> {
  if (uid < 0) return asIs; // Windows
  const isNamed = await run('id', ['-un', String(uid)], { env: cleanEnvironment }).then(
    () => true,
    () => false,
  );
  return isNamed || !(await namespaceWorks()) ? asIs : inNamespace;
}

async function namespaceWorks(): Promise<boolean> {
  const [file, args] = inNamespace('true', []);
  return run(file, args, { env: cleanEnvironment }).then(
    () => true,
    () => false,
  );
}

/** Gives a switched account what it needs below the data directory. Throws DatabaseError `data_dir_unreachable`. */
export async function openTheWay(account: Account, files: Files): Promise<void> {
  if (account.kind === 'switched') {
    for (const directory of [files.dataDir, files.root]) {
      const { uid, mode } = await stat(directory);
      if (uid !== 0) continue;
      // To pass through by group, not to list.
      await chown(directory, 0, account.gid);
      await chmod(directory, (mode & 0o777) | 0o010);
    }
    await giveTree(files.data, account);
  }
  if (account.kind === 'own') return;
  const obstacle = await firstObstacle(files.root, account);
  if (obstacle === null) return;
  throw new DatabaseError(`PostgreSQL refuses to run as root, and no other user can enter ${obstacle}`, {
    code: 'data_dir_unreachable',
    hint: 'Choose a directory outside: --data-dir /var/lib/visionscale. Or run as an ordinary user.',
  });
}

/** What was made as root before goes to the account; nothing happens where it is theirs. */
async function giveTree(path: string, account: Account): Promise<void> {
  const owner = await stat(path).catch(() => null);
  if (owner?.uid !== 0) return;
  const entries = await readdir(path, { recursive: true });
  for (const entry of entries) await lchown(join(path, entry), account.uid, account.gid);
  await chown(path, account.uid, account.gid); // last: says that the rest is done
}

/** The outermost directory on the way to `path` that an account without root's privileges cannot pass; null if none. */
export async function firstObstacle(
  path: string,
  user: { uid: number; gid: number },
): Promise<string | null> {
  const way: string[] = [];
  for (let at = await realpath(path); ; at = dirname(at)) {
    way.unshift(at);
    if (at === dirname(at)) break;
  }
  for (const directory of way) {
    const { uid, gid, mode } = await stat(directory);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return directory;
  }
  return null;
}
