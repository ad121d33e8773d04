/** Makes sure that the account can execute the binaries: nobody cannot enter root's home, where npm may have put them. */
import { execFile } from 'node:child_process';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DatabaseError } from '../../../base/errors.ts';
import type { Account } from './account.ts';
import type { Files } from './files.ts';
import { cleanEnvironment } from './processes.ts';
import { copyProgram } from './program.ts';
import type { Program } from './program.ts';
import { startFailure } from './start-failure.ts';

const run = promisify(execFile);

/** The program itself, or a copy below /var/tmp for an account that cannot reach it. */
export async function reachable(program: Program, account: Account, files: Files): Promise<Program> {
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
