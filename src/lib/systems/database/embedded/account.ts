/** Which account PostgreSQL runs under: it refuses root, so root runs it as nobody, really or in a user namespace. */
import { execFile } from 'node:child_process';
import { chmod, chown, lchown, readdir, realpath, stat, lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DatabaseError } from '../../../base/errors.ts';
import { errorCode, type Files } from './files.ts';
import { cleanEnvironment } from './processes.ts';
import { copyProgram, type Program, startFailure } from './program.ts';

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

/**
 * Root's server is another user's process, and cannot touch what is root's, where that user can come to the data at all:
 * not below a home that is root's alone, and not where files cannot be given away.
 */
export async function chooseAccount(files: Files, force?: 'switched'): Promise<Account> {
  const account = await preferredAccount(files, force);
  try {
    await openTheWay(account, files);
    return account;
  } catch (error) {
    const mayNotGive = ['EPERM', 'EINVAL', 'ENOTSUP'].includes(errorCode(error) ?? '');
    if (!mayNotGive || force !== undefined || account.uid !== nobody || !(await namespaceWorks()))
      throw error;
    return inNamespaceAccount;
  }
}

const inNamespaceAccount: Account = { kind: 'namespace', uid: 0, gid: 0, wrap: inNamespace, spawn: {} };

/** `force` takes the one way where the other would be taken: for tests. */
async function preferredAccount(files: Files, force?: 'switched'): Promise<Account> {
  const me = process.getuid?.() ?? -1;
  if (me !== 0) {
    return { kind: 'own', uid: me, gid: process.getgid?.() ?? -1, wrap: await wrapFor(me), spawn: {} };
  }

  // Data that belongs to somebody stays theirs: root may look in on an ordinary user's directory.
  const owner = (await stat(files.data).catch(() => null)) ?? (await stat(files.root));
  if (owner.uid === 0 && force === undefined && !(await isOpenToNobody(files)) && (await namespaceWorks())) {
    return inNamespaceAccount;
  }
  const user = owner.uid === 0 ? { uid: nobody, gid: nobody } : { uid: owner.uid, gid: owner.gid };
  return { kind: 'switched', ...user, wrap: await wrapFor(user.uid), spawn: user };
}

/** The directories above the data directory; that one itself is opened for it. */
async function isOpenToNobody({ dataDir }: Files): Promise<boolean> {
  return (await firstObstacle(dirname(await realpath(dataDir)), { uid: nobody, gid: nobody })) === null;
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
async function openTheWay(account: Account, files: Files): Promise<void> {
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
    hint: 'Choose a directory elsewhere: --data-dir /var/lib/visionscale. Or run as an ordinary user.',
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

/** The program itself, or a copy below /var/tmp for an account that cannot reach it: nobody cannot enter root's home, where npm may have put it. */
export async function reachableProgram(program: Program, account: Account, files: Files): Promise<Program> {
  const failure = await whyNot(program, account);
  if (failure === null) return program;
  if (account.kind !== 'own') {
    const copy = await copyForOthers(program);
    if ((await whyNot(copy, account)) === null) return copy;
  }
  throw startFailure(files, 'postgres --version', failure.stderr, failure);
}

async function whyNot(
  program: Program,
  account: Account,
): Promise<{ stderr?: string; message: string } | null> {
  const [file, args] = account.wrap(join(program.directory, 'bin/postgres'), ['--version']);
  return run(file, args, { ...account.spawn, env: cleanEnvironment }).then(
    () => null,
    (error: { stderr?: string; message: string }) => error,
  );
}

/** Kept for later starts: 60 MB. Nobody else can have put something in its place, since it must belong to us. */
async function copyForOthers(program: Program): Promise<Program> {
  const me = process.getuid?.() ?? 0;
  const target = `/var/tmp/visionscale-postgres-${program.version}-${me}`;
  const copy = await copyProgram(program, target);
  const { uid, mode } = await lstat(target);
  if (uid !== me || (mode & 0o170022) !== 0o040000) {
    throw new DatabaseError(`${target} belongs to another user or may be written by others`, {
      code: 'program_copy_untrusted',
      hint: 'Remove it, or set DATABASE_URL to use a PostgreSQL server.',
    });
  }
  return copy;
}
