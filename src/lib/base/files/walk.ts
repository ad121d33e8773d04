/** Finds the files below paths that are meant, once these are there: sorted, one directory at a time, never outside of it. */
import type { Dirent } from 'node:fs';
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';
import picomatch from 'picomatch';
import { errorMessage, UsageError } from '../errors.ts';
import { foreignKind, foreignReason } from './image-names.ts';

export interface PathFilter {
  /** Whether the file at this path, relative to the given directory, is meant. */
  wants(relative: string): boolean;
  /** Whether a directory may hold such files. */
  enters(relative: string): boolean;
  /** Whether somebody asked for the file by its extension: then it is meant, though it is no image by name. */
  asks?(relative: string): boolean;
}

/**
 * Globs without a slash match names anywhere (`*.jpg`), those with one the whole relative path (`2026/**`); `drafts/`
 * is all that lies below. An exclude that matches a directory leaves it out whole.
 */
export function pathFilter(include: readonly string[] = [], exclude: readonly string[] = []): PathFilter {
  const included = include.length === 0 ? () => true : matcher(include);
  const excluded = exclude.length === 0 ? () => false : matcher(exclude);
  return {
    wants: (relative) => included(relative) && !excluded(relative),
    enters: (relative) => !excluded(relative),
    asks: matcher(include.filter(namesExtension)),
  };
}

/** `*.dat` and `*.{raw,dat}`, not `*.*`. */
function namesExtension(glob: string): boolean {
  return /\.(?!\*+$)[^/]+$/.test(glob);
}

function matcher(globs: readonly string[]): (path: string) => boolean {
  if (globs.includes('')) throw new UsageError('an include or exclude glob is empty');
  const matchers = globs.map((glob) =>
    picomatch(glob.endsWith('/') ? `${glob}**` : glob, { dot: true, basename: !glob.includes('/') }),
  );
  return (path) => matchers.some((matches) => matches(path));
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

export type Found = { file: FoundFile } | { rejected: Rejection } | { passedOver: string };

export interface WalkOptions {
  /** What is no image by name is rejected, not passed over. */
  strict?: boolean | undefined;
  /** Whether links that lead out of the given directory are followed. Without a say they are not, and no flag is told of. */
  followLinks?: boolean | undefined;
}

/** Links that lead out of the given directory and are not followed. */
interface LinksOut {
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
  strict: boolean;
  linksOut: LinksOut;
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
 * Files in byte order of their relative paths. What is no image by its name is passed over, by its kind (`foreignKind`),
 * below the given directory; a given file is meant, whatever its name. Symbolic links are followed within the given directory; links that go
 * round in circles or to nothing, unreadable places and names that are not UTF-8 are rejected. Links that lead out of it
 * are rejected together, at the end, unless they are to be followed. Ends when aborted. Memory: the names of one
 * directory a level.
 */
export async function* walk(
  given: string,
  filter: PathFilter,
  signal: AbortSignal,
  { followLinks, strict = false }: WalkOptions = {},
): AsyncGenerator<Found> {
  try {
    const real = await realpath(given);
    const found = await stat(real);
    if (found.isDirectory()) {
      const linksOut: LinksOut = { count: 0, first: '' };
      const root = { shown: given, real, relative: '', trail: [real], linked: false };
      const shared = { followLinks: followLinks === true, strict, linksOut, entered: new Set<string>() };
      yield* walkDirectory({ ...root, ...shared }, filter, signal);
      if (linksOut.count > 0) yield reject(given, linksOutReason(linksOut, followLinks !== undefined));
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
  const entries: Entry[] = [];
  for (const dirent of dirents) {
    if (signal.aborted) return;
    const name = dirent.name.toString();
    const relative = directory.relative + name;
    // What nobody asked for is no reason to complain.
    if (!filter.enters(relative)) continue;
    if (!dirent.isDirectory() && !dirent.isSymbolicLink() && !filter.wants(relative)) continue;
    const kind = await foreignEntry(directory, name, dirent, filter);
    if (kind !== undefined) {
      if (!dirent.isDirectory() && !filter.wants(relative)) continue;
      const { strict, shown } = directory;
      yield strict ? reject(join(shown, name), foreignReason(kind)) : { passedOver: kind };
      continue;
    }
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

/** Its kind, where it is no image by name and nobody asked for its extension. */
async function foreignEntry(
  directory: Directory,
  name: string,
  dirent: Dirent<Buffer>,
  filter: PathFilter,
): Promise<string | undefined> {
  const kind = foreignKind(name, dirent.isDirectory());
  if (kind === undefined || dirent.isDirectory() || name.startsWith('.')) return kind;
  if (filter.asks?.(directory.relative + name) === true) return undefined;
  if (!dirent.isSymbolicLink()) return kind;
  // A directory may have any name.
  const target = await stat(join(directory.real, name)).catch(() => undefined);
  return target?.isDirectory() === true ? undefined : kind;
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
      const { linksOut } = directory;
      if (linksOut.count++ === 0) linksOut.first = directory.relative + name;
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

function linksOutReason({ count, first }: LinksOut, told: boolean): string {
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
