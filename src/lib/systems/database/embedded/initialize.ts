/** Makes PostgreSQL's data directory on the first start: whole or not at all. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DatabaseError } from '../../../base/errors.ts';
import type { Account } from './account.ts';
import { createPrivate, errorCode, unusable, writePrivate } from './files.ts';
import type { Files } from './files.ts';
import { cleanEnvironment } from './processes.ts';
import { type Program, startFailure } from './program.ts';

const run = promisify(execFile);

/** Owns the database and may make more, and roles; no superuser, who could run programs on this machine. */
export const user = 'visionscale';
/** initdb's own. Nobody has its password; whoever owns the files can start PostgreSQL's single-user mode. */
const superuser = 'postgres';

export interface InitializeOptions {
  files: Files;
  program: Program;
  account: Account;
  signal: AbortSignal;
}

/**
 * Returns the password of `user`. Throws DatabaseError: `data_dir_version` for the data of another major version,
 * `data_dir_damaged`, `data_dir_unusable`, `embedded_postgres_failed`.
 */
export async function initialize(options: InitializeOptions): Promise<string> {
  const { files, program } = options;
  const found = await versionOf(files);
  if (found === null) return createCluster(options);

  const major = program.version.split('.')[0];
  if (found !== major) {
    throw new DatabaseError(
      `${files.data} was made by PostgreSQL ${found}; the embedded PostgreSQL is version ${major}`,
      {
        code: 'data_dir_version',
        hint:
          `Use the release of visionscale that made it, or choose an empty place with --data-dir. To move the data:\n` +
          `pg_dump from a PostgreSQL ${found} server on that directory, then restore into the new one.`,
      },
    );
  }
  return readFile(files.password, 'utf8').catch((cause: unknown) => {
    throw damaged(files, `${files.password} cannot be read`, cause);
  });
}

/** The major version of the data; null where there is none yet. */
async function versionOf({ data, dataDir }: Files): Promise<string | null> {
  try {
    return (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim();
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw unusable(dataDir, error);
  }
  await rmdir(data).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw damaged({ dataDir }, `${data} is not PostgreSQL data`, error);
  });
  return null;
}

function damaged({ dataDir }: Pick<Files, 'dataDir'>, what: string, cause: unknown): DatabaseError {
  return new DatabaseError(`the data directory ${dataDir} is damaged: ${what}`, {
    code: 'data_dir_damaged',
    hint: 'Restore it from a backup, or choose another place with --data-dir.',
    cause,
  });
}

/** initdb works in a directory of its own, which gets its name when it is complete: a kill leaves no half of one. */
async function createCluster({ files, program, account, signal }: InitializeOptions): Promise<string> {
  for (const name of await readdir(files.root)) {
    if (!name.startsWith('new-')) continue;
    // An initdb whose keeper was killed may still be writing for a moment.
    await rm(join(files.root, name), { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
  const draft = join(files.root, `new-${randomBytes(6).toString('hex')}`);
  const passwordFile = `${draft}.password`;
  const randomPassword = () => randomBytes(24).toString('base64url');
  const password = randomPassword();
  try {
    await mkdir(draft, { mode: 0o700 });
    await createPrivate(passwordFile, randomPassword());
    if (account.kind === 'switched') {
      await chown(draft, account.uid, account.gid);
      await chown(passwordFile, account.uid, account.gid);
    }
    const [file, args] = account.wrap(join(program.directory, 'bin/initdb'), [
      ...['-D', draft, '-U', superuser, '--pwfile', passwordFile, '--auth', 'scram-sha-256'],
      ...[
        '--encoding',
        'UTF8',
        '--locale',
        'C',
        '--locale-provider',
        'builtin',
        '--builtin-locale',
        'C.UTF-8',
      ],
    ]);
    const options = { ...account.spawn, env: cleanEnvironment, signal, killSignal: 'SIGKILL' } as const;
    await run(file, args, options);
    const [server, single] = account.wrap(join(program.directory, 'bin/postgres'), [
      ...['--single', '-D', draft, '-c', 'exit_on_error=on', 'postgres'],
    ]);
    const making = run(server, single, options);
    making.child.stdin?.on('error', () => undefined); // its end says why
    making.child.stdin?.end(`CREATE ROLE ${user} LOGIN CREATEDB CREATEROLE PASSWORD '${password}'\n`);
    await making;
    await writePrivate(files.password, password);
    await rename(draft, files.data);
    return password;
  } catch (error) {
    // A child of initdb may still be writing for a moment.
    await rm(draft, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    const { stderr } = error as { stderr?: string };
    throw errorCode(error) === 'ENOSPC'
      ? unusable(files.dataDir, error)
      : startFailure(files, 'initdb', stderr, error);
  } finally {
    await rm(passwordFile, { force: true });
  }
}
