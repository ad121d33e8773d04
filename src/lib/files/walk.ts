/** Finds the files below a path: sorted, one directory at a time, and never outside of it. */
import type { Dirent } from 'node:fs';
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';
import { errorMessage } from '../errors.ts';
import { isLitter, type PathFilter } from './filter.ts';

/** A file that is left out, and why. */
export interface Rejection {
  path: string;
  reason: string;
}

export interface FoundFile {
  /** As people see it: the given path and what lies below. */
  path: string;
  /** The real path, free of symbolic links when it was found. */
  file: string;
  /** Below the given directory, with `/`; a given file's own name. */
  relative: string;
  bytes: number;
}

export type Found = { file: FoundFile } | { rejected: Rejection };

interface Directory {
  shown: string;
  real: string;
  /** Empty, or a path that ends in `/`. */
  relative: string;
  /** The real paths of the directories that lead here, this one last; the first is the root. */
  trail: readonly string[];
}

interface Entry {
  name: string;
  kind: 'file' | 'directory' | 'other';
  real: string;
  /** In the order of these bytes, keys come in their own order. */
  order: Buffer;
}

/**
 * Files in byte order of their relative paths. Symbolic links are followed within the given directory; links that lead
 * out of it or round in circles, unreadable places and names that are not UTF-8 are rejected. Ends when aborted.
 * Memory: the names of one directory a level.
 */
export async function* walk(given: string, filter: PathFilter, signal: AbortSignal): AsyncGenerator<Found> {
  try {
    const real = await realpath(given);
    const found = await stat(real);
    if (found.isDirectory()) {
      yield* walkDirectory({ shown: given, real, relative: '', trail: [real] }, filter, signal);
      return;
    }
    const relative = basename(resolve(given));
    if (!filter.wants(relative)) return;
    if (found.isFile()) yield { file: { path: given, file: real, relative, bytes: found.size } };
    else yield reject(given, 'it is neither a file nor a directory');
  } catch (error) {
    yield reject(given, readFault(error));
  }
}

async function* walkDirectory(
  directory: Directory,
  filter: PathFilter,
  signal: AbortSignal,
): AsyncGenerator<Found> {
  let dirents: Dirent<Buffer>[];
  try {
    dirents = await readdir(directory.real, { withFileTypes: true, encoding: 'buffer' });
  } catch (error) {
    yield reject(directory.shown, readFault(error));
    return;
  }
  const names = new Set(dirents.map((dirent) => dirent.name.toString()));
  const entries: Entry[] = [];
  for (const dirent of dirents) {
    if (signal.aborted) return;
    const name = dirent.name.toString();
    const relative = directory.relative + name;
    // What nobody asked for is no reason to complain.
    if (!filter.enters(relative) || isLitter(name, dirent.isDirectory(), names)) continue;
    if (!dirent.isDirectory() && !dirent.isSymbolicLink() && !filter.wants(relative)) continue;
    if (!Buffer.from(name).equals(dirent.name)) {
      yield reject(join(directory.shown, name), 'its name is not valid UTF-8: rename it');
      continue;
    }
    const entry = await readEntry(directory, name, dirent);
    if (typeof entry === 'string') yield reject(join(directory.shown, name), entry);
    else entries.push(entry);
  }
  entries.sort((a, b) => Buffer.compare(a.order, b.order));
  for (const { name, kind, real } of entries) {
    if (signal.aborted) return;
    const shown = join(directory.shown, name);
    const relative = directory.relative + name;
    if (kind === 'directory') {
      const below = { shown, real, relative: `${relative}/`, trail: [...directory.trail, real] };
      yield* walkDirectory(below, filter, signal);
    } else if (filter.wants(relative)) {
      yield kind === 'file'
        ? await foundFile(shown, real, relative)
        : reject(shown, 'it is not a regular file');
    }
  }
}

/** The entry with its symbolic link resolved, or why it is rejected. */
async function readEntry(
  directory: Directory,
  name: string,
  dirent: Dirent<Buffer>,
): Promise<Entry | string> {
  let real = join(directory.real, name);
  let type: { isFile(): boolean; isDirectory(): boolean } = dirent;
  if (dirent.isSymbolicLink()) {
    try {
      real = await realpath(real);
      type = await stat(real);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') return 'it is a symbolic link to nothing';
      return code === 'ELOOP' ? 'it is a symbolic link to itself' : readFault(error);
    }
    const root = directory.trail[0]!;
    if (real !== root && !real.startsWith(root.endsWith(sep) ? root : root + sep)) {
      return 'it is a symbolic link that leads out of the given directory';
    }
    if (directory.trail.includes(real)) return 'it is a symbolic link to a directory it lies in';
  }
  const kind = type.isDirectory() ? 'directory' : type.isFile() ? 'file' : 'other';
  return { name, kind, real, order: Buffer.from(kind === 'directory' ? `${name}/` : name) };
}

async function foundFile(path: string, file: string, relative: string): Promise<Found> {
  try {
    const { size } = await lstat(file);
    return { file: { path, file, relative, bytes: size } };
  } catch (error) {
    return reject(path, readFault(error));
  }
}

function reject(path: string, reason: string): Found {
  return { rejected: { path, reason } };
}

/** Why a file or directory cannot be read, in words. */
export function readFault(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
      return 'it was removed meanwhile';
    case 'EACCES':
    case 'EPERM':
      return 'it cannot be read: permission denied';
    default:
      return `it cannot be read: ${errorMessage(error)}`;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
