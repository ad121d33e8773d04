/** Makes directories that people name, and finds out before any work is done whether what is to be written there can be. */
import { access, constants, mkdir, open, rm, stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { errorMessage, UsageError, VisionscaleError } from '../errors.ts';

/**
 * The directory with those above it; returns those that were not there, outermost first. Level by level, because Node's own
 * recursive mkdir never ends below /proc. Throws errors of the system.
 */
export async function makeDirectory(path: string, mode?: number): Promise<string[]> {
  const made: string[] = [];
  for (const directory of await missingLevels(resolve(path))) {
    try {
      await mkdir(directory, mode);
      made.push(directory);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') continue; // another process was as quick
      // Its parent is there: a file system such as /proc's, which says so in this way.
      const parent = dirname(directory);
      if (code === 'ENOENT' && (await isDirectory(parent)))
        throw systemError('EPERM', `cannot create a directory in ${parent}`);
      throw error;
    }
  }
  return made;
}

/** The directory, with those above it, exists and can be written; returns what was made. Throws a UsageError that names it. */
export async function makeWritableDirectory(path: string): Promise<string[]> {
  try {
    const made = await makeDirectory(path);
    await access(path, constants.W_OK | constants.X_OK);
    return made;
  } catch (error) {
    throw new UsageError(
      `cannot write to ${path}: ${errorMessage(error)}`,
      'Choose a directory that this user may write to.',
    );
  }
}

/** The file can be made, or replaced where it is there; its directory is made. Throws a UsageError that names it. */
export async function requireWritableFile(path: string): Promise<void> {
  await makeWritableDirectory(dirname(resolve(path)));
  try {
    if (await isMissing(path)) {
      // Rights do not tell: for root everything below /proc can be written.
      await using _file = await open(path, 'wx');
      await rm(path);
      return;
    }
    if (!(await stat(path)).isFile()) throw new Error('it is not a file');
    await access(path, constants.W_OK);
  } catch (error) {
    throw new UsageError(
      `${path} cannot be written: ${errorMessage(error)}`,
      'Choose a file that this user may write to.',
    );
  }
}

/** Free bytes on the disk of a directory for this user; undefined where the file system does not say. */
export async function freeBytes(directory: string): Promise<number | undefined> {
  const found = await statfs(directory).catch(() => undefined);
  return found === undefined || found.blocks === 0 ? undefined : found.bavail * found.bsize;
}

/** Throws a VisionscaleError `disk_full` where the disk is known to have less room than will be needed for `what`. */
export async function requireRoom(directory: string, bytes: number, what: string): Promise<void> {
  const free = await freeBytes(directory);
  if (free === undefined || free >= bytes) return;
  const mebibytes = (count: number) => `${Math.ceil(count / 2 ** 20)} MB`;
  throw new VisionscaleError(
    `the disk of ${directory} has ${mebibytes(free)} left, and ${what} needs ${mebibytes(bytes)}`,
    {
      code: 'disk_full',
      hint: 'Free some space, or choose a directory on another disk. Nothing was started.',
    },
  );
}

/** Outermost first. */
async function missingLevels(path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    try {
      if ((await stat(at)).isDirectory()) return missing;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || at === dirname(at)) throw error;
      missing.unshift(at);
      continue;
    }
    throw systemError('ENOTDIR', `${at} is not a directory`);
  }
}

function isMissing(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

function systemError(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code, syscall: 'mkdir' });
}
