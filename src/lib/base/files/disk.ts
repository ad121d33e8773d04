/** Writes that are either whole and on the disk, or not there. */
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorMessage, VisionscaleError } from '../errors.ts';

/** Creates a file and waits until the disk has it. */
export async function writeSynced(path: string, content: string | Uint8Array): Promise<void> {
  await using file = await open(path, 'wx', 0o644);
  await file.writeFile(content);
  await file.sync();
}

/** Puts the file in the place of the one that may be there, in one step. */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const next = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    await writeSynced(next, content);
    await rename(next, path);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** So that a rename outlives a power cut; not every file system or platform knows this. */
export async function syncDirectory(path: string): Promise<void> {
  try {
    await using directory = await open(path, 'r');
    await directory.sync();
  } catch {
    // Windows opens no directories, some network file systems sync none.
  }
}

/** `replaceFile` for a file that a person asked for. Throws `disk_full` or `cannot_write`, which name it. */
export async function replaceAskedFile(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await replaceFile(path, content);
  } catch (error) {
    throw unwrittenFile(error, path);
  }
}

/** What to say of a file that a person asked for and that could not be written. */
export function unwrittenFile(error: unknown, path: string): VisionscaleError {
  if (isFull(error)) {
    return new VisionscaleError(`${path} cannot be written: the disk is full`, {
      code: 'disk_full',
      hint: 'Free some space, or choose a place on another disk.',
      cause: error,
    });
  }
  return new VisionscaleError(`${path} cannot be written: ${errorMessage(error)}`, {
    code: 'cannot_write',
    hint: 'Choose a place that this user may write to.',
    cause: error,
  });
}

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
}

const unwritable = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'];

/** A full disk, a place that may not be written: told with what to do. Other errors as they are. */
export function explainedDiskError(error: unknown, directory: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (isFull(error)) {
    return new VisionscaleError(`the disk of ${directory} is full`, {
      code: 'disk_full',
      hint: 'Nothing was installed. Free some space, or choose a store on another disk with --models <dir>.',
      cause: error,
    });
  }
  if (code !== undefined && unwritable.includes(code)) {
    return new VisionscaleError(`the model store ${directory} cannot be written: ${errorMessage(error)}`, {
      code: 'models_unwritable',
      hint: 'Choose a writable directory with --models <dir> (VISIONSCALE_MODELS).',
      cause: error,
    });
  }
  return error;
}
