/** Lists a directory's objects in byte order of their keys; holds the names of one directory a level, not more. */
import type { Dirent } from 'node:fs';
import { lstat, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { compareKeys, objectKeyFault, type ObjectInfo } from '../store.ts';
import { diskDirectory, readDiskName } from './disk-name.ts';
import { hasCode } from './file-errors.ts';

interface Entry {
  path: string;
  /** The whole key of a file; the key prefix of a directory, which ends in `/`. */
  key: string;
}

/** The objects below `root`, a real path, whose keys begin with `prefix`. Symbolic links are passed over. */
export async function* listDirectory(root: string, prefix: string): AsyncGenerator<ObjectInfo> {
  const slash = prefix.lastIndexOf('/');
  if (slash < 0) {
    yield* below({ path: root, key: '' }, prefix);
    return;
  }
  const folder = prefix.slice(0, slash);
  if (objectKeyFault(folder) !== undefined) return; // no key begins like this
  const path = join(root, ...diskDirectory(folder));
  if ((await realpathOrNull(path)) !== path) return;
  yield* below({ path, key: `${folder}/` }, prefix);
}

async function* below(directory: Entry, prefix: string): AsyncGenerator<ObjectInfo> {
  const entries = (await readEntries(directory.path, directory.key)).filter(
    ({ key }) => key.startsWith(prefix) || (key.endsWith('/') && prefix.startsWith(key)),
  );
  // A directory's key prefix ends in "/", which puts it exactly where its objects belong.
  entries.sort((a, b) => compareKeys(a.key, b.key));
  for (const entry of entries) {
    if (entry.key.endsWith('/')) {
      yield* below(entry, prefix);
    } else if (objectKeyFault(entry.key) === undefined) {
      const bytes = await fileSize(entry.path);
      if (bytes !== null) yield { key: entry.key, bytes };
    }
  }
}

/** What `dir` holds; the pieces of long segments are put together, so that they sort with the others. */
async function readEntries(dir: string, start: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const dirent of await readdirOrNone(dir)) {
    if (!dirent.isFile() && !dirent.isDirectory()) continue;
    const name = readDiskName(dirent.name, dirent.isDirectory());
    if (name === null) continue;
    const path = join(dir, dirent.name);
    if (name.kind === 'piece') entries.push(...(await readEntries(path, start + name.piece)));
    else entries.push({ path, key: start + name.segment + (name.kind === 'directory' ? '/' : '') });
  }
  return entries;
}

/** Removed since it was seen: nothing. */
async function readdirOrNone(dir: string): Promise<Dirent[]> {
  try {
    return await readdir(dir, { withFileTypes: true });
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

async function fileSize(path: string): Promise<number | null> {
  try {
    const found = await lstat(path);
    return found.isFile() ? found.size : null;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null;
    throw error;
  }
}

async function realpathOrNull(path: string): Promise<string | null> {
  try {
    return await realpath(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return null;
    throw error;
  }
}
