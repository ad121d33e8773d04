/** Finds the files below paths that are meant, once these are there: sorted, one directory at a time, never outside of it. */
import type { Dirent } from 'node:fs';
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';
import picomatch from 'picomatch';
import { errorMessage, UsageError } from '../errors.ts';

export interface PathFilter {
  /** Whether the file at this path, relative to the given directory, is meant. */
  wants(relative: string): boolean;
  /** Whether a directory may hold such files. */
  enters(relative: string): boolean;
}

/**
 * Globs without a slash match names anywhere (`*.jpg`), those with one the whole relative path (`2026/**`); `drafts/`
 * is all that lies below. Leading dots are nothing special. An exclude that matches a directory leaves it out whole.
 */
export function pathFilter(include: readonly string[] = [], exclude: readonly string[] = []): PathFilter {
  const included = include.length === 0 ? () => true : matcher(include);
  const excluded = exclude.length === 0 ? () => false : matcher(exclude);
  return {
    wants: (relative) => included(relative) && !excluded(relative),
    enters: (relative) => !excluded(relative),
  };
}

function matcher(globs: readonly string[]): (path: string) => boolean {
  if (globs.includes('')) throw new UsageError('an include or exclude glob is empty');
  const matchers = globs.map((glob) =>
    picomatch(glob.endsWith('/') ? `${glob}**` : glob, { dot: true, basename: !glob.includes('/') }),
  );
  return (path) => matchers.some((matches) => matches(path));
}

const litterFiles = new Set(['.DS_Store', 'Thumbs.db', 'ehthumbs.db', 'desktop.ini', 'Desktop.ini']);
const litterDirectories = new Set(['__MACOSX', '.Spotlight-V100', '.Trashes', '.fseventsd', '@eaDir']);

/** What operating systems put beside images. `siblings` are the names in the same directory. */
export function isLitter(name: string, isDirectory: boolean, siblings: ReadonlySet<string>): boolean {
  if (isDirectory) return litterDirectories.has(name);
  // macOS keeps the attributes of `cat.jpg` in `._cat.jpg`; alone, such a file may be an image.
  return litterFiles.has(name) || (name.startsWith('._') && siblings.has(name.slice(2)));
}

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

export interface WalkOptions {
  /** Whether links that lead out of the given directory are followed. Without a say they are not, and no flag is told of. */
  followLinks?: boolean | undefined;
}

/** Links that lead out of the given directory and are not followed. */
interface PassedOver {
  count: number;
  first: string;
}

interface Directory {
  shown: string;
  real: string;
  /** Empty, or a path that ends in `/`. */
  relative: string;
  /** The real paths of the directories that lead here, this one last; the first is the root. */
  trail: readonly string[];
  /** Whether a link led here, or to a directory on the way. */
  linked: boolean;
  followLinks: boolean;
  passedOver: PassedOver;
  /** Directories that were entered through a link behind a link: each once, for links among many would never end. */
  entered: Set<string>;
}

interface Entry {
  name: string;
  kind: 'file' | 'directory' | 'other';
  real: string;
  /** In the order of these bytes, keys come in their own order. */
  order: Buffer;
  linked: boolean;
}

/**
 * Files in byte order of their relative paths. Symbolic links are followed within the given directory; links that go
 * round in circles or to nothing, unreadable places and names that are not UTF-8 are rejected. Links that lead out of it
 * are rejected together, at the end, unless they are to be followed. Ends when aborted. Memory: the names of one
 * directory a level.
 */
export async function* walk(
  given: string,
  filter: PathFilter,
  signal: AbortSignal,
  { followLinks }: WalkOptions = {},
): AsyncGenerator<Found> {
  try {
    const real = await realpath(given);
    const found = await stat(real);
    if (found.isDirectory()) {
      const passedOver: PassedOver = { count: 0, first: '' };
      const root = { shown: given, real, relative: '', trail: [real], linked: false };
      const shared = { followLinks: followLinks === true, passedOver, entered: new Set<string>() };
      yield* walkDirectory({ ...root, ...shared }, filter, signal);
      if (passedOver.count > 0) yield reject(given, passedOverReason(passedOver, followLinks !== undefined));
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
    else if (entry !== undefined) entries.push(entry);
  }
  entries.sort((a, b) => Buffer.compare(a.order, b.order));
  for (const { name, kind, real, linked } of entries) {
    if (signal.aborted) return;
    const shown = join(directory.shown, name);
    const relative = directory.relative + name;
    if (kind === 'directory') {
      const trail = [...directory.trail, real];
      const isLinked = directory.linked || linked;
      const below = { ...directory, shown, real, relative: `${relative}/`, trail, linked: isLinked };
      yield* walkDirectory(below, filter, signal);
    } else if (filter.wants(relative)) {
      yield kind === 'file'
        ? await foundFile(shown, real, relative)
        : reject(shown, 'it is not a regular file');
    }
  }
}

/** The entry with its symbolic link resolved, or why it is rejected; undefined where it is passed over. */
async function readEntry(
  directory: Directory,
  name: string,
  dirent: Dirent<Buffer>,
): Promise<Entry | string | undefined> {
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
    if (!directory.followLinks && !isWithin(real, root)) {
      const { passedOver } = directory;
      if (passedOver.count++ === 0) passedOver.first = directory.relative + name;
      return undefined;
    }
    // Where a link leads above a directory that led here, the way down from there would come to it again.
    if (type.isDirectory() && directory.trail.some((passed) => isWithin(passed, real)))
      return 'it is a symbolic link to a directory it lies in';
    if (type.isDirectory() && directory.linked) {
      if (directory.entered.has(real)) return 'it is a symbolic link to a directory that was read already';
      directory.entered.add(real);
    }
  }
  const kind = type.isDirectory() ? 'directory' : type.isFile() ? 'file' : 'other';
  const order = Buffer.from(kind === 'directory' ? `${name}/` : name);
  return { name, kind, real, order, linked: dirent.isSymbolicLink() };
}

/** Whether a real path is a real directory, or lies in it. */
function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory.endsWith(sep) ? directory : directory + sep);
}

function passedOverReason({ count, first }: PassedOver, told: boolean): string {
  const many = count > 1;
  const links = many ? `${count} symbolic links lead` : 'a symbolic link leads';
  const which = `${many ? 'the first is ' : ''}${first}`;
  const how = told ? `; --follow-links follows ${many ? 'them' : 'it'}` : '';
  return `${links} out of it and ${many ? 'were' : 'was'} passed over (${which})${how}`;
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

/** The paths without repetitions. Throws a UsageError that names all that do not exist. */
export async function checkPaths(paths: readonly string[]): Promise<string[]> {
  if (paths.length === 0) throw new UsageError('no files or directories were given');
  const unique = new Map(paths.map((path) => [resolve(path), path]));
  const missing: string[] = [];
  for (const path of unique.values()) {
    try {
      await stat(path);
    } catch (error) {
      // Anything else is told when it is walked.
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'ENOENT' || code === 'ENOTDIR') missing.push(path);
    }
  }
  if (missing.length > 0) {
    throw new UsageError(missing.map((path) => `no such file or directory: ${path}`).join('\n'));
  }
  return [...unique.values()];
}
