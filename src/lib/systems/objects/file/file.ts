/** The object store in a directory: one file an object, named as `disk-name.ts` says. The content type is not kept. */
import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { access, lstat, mkdir, open, readdir, realpath, rename, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { makeDirectory } from '../../../base/files/make-directory.ts';
import {
  checkKey,
  badKey,
  notFound,
  tooLarge,
  type GetOptions,
  type ObjectInfo,
  type ObjectStore,
  type PutOptions,
} from '../store.ts';
import { diskPath } from './disk-name.ts';
import { fileError, hasCode, rootMissing } from './file-errors.ts';
import { listDirectory } from './file-list.ts';

/** Where objects are written before they are renamed into place; no key is encoded like this. */
const TEMPORARY = '%tmp';
/** What a killed writer left there is removed once it is this old. */
const LEFTOVER_MS = 60 * 60 * 1000;

/** `dir` need not exist yet: `create` makes it. Opens nothing by itself. */
export function openFileStore(dir: string): ObjectStore {
  return new FileStore(resolve(dir));
}

class FileStore implements ObjectStore {
  readonly kind = 'file';
  readonly url: string;
  readonly #dir: string;
  #swept = false;
  /** Of the disk that the directory was on when an object was found last. */
  #device: number | undefined;

  constructor(dir: string) {
    this.#dir = dir;
    this.url = pathToFileURL(dir).href;
  }

  async create(): Promise<{ created: boolean }> {
    return this.#guard(async () => {
      const made = await makeDirectory(this.#dir, 0o700);
      for (const directory of made) await syncDirectory(dirname(directory));
      return { created: made.length > 0 };
    });
  }

  async exists(): Promise<boolean> {
    return this.#guard(async () => {
      try {
        if (!(await stat(this.#dir)).isDirectory()) return false;
      } catch (error) {
        if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
        throw error;
      }
      await access(this.#dir, constants.R_OK | constants.X_OK);
      return true;
    });
  }

  async put(key: string, body: Buffer, _options: PutOptions): Promise<void> {
    checkKey(key);
    await this.#guard(async () => {
      const root = await this.#root();
      const path = join(root, ...diskPath(key));
      const isPrivate = ((await stat(root)).mode & 0o077) === 0;
      await ensureDirectory(dirname(path), key, isPrivate);
      const present = await statOwn(path, key);
      if (present && !present.isFile() && !present.isSymbolicLink()) throw inTheWay(path, key);
      const temporary = join(await this.#temporaryDirectory(root, key, isPrivate), randomUUID());
      try {
        await writeDurably(temporary, body, isPrivate);
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        this.#swept = false; // somebody may have removed the directory: the next try makes it again
        throw error;
      }
      await syncDirectory(dirname(path));
    }, key);
  }

  async get(key: string, { maxBytes, signal, admit }: GetOptions): Promise<Buffer> {
    checkKey(key);
    signal?.throwIfAborted();
    return this.#guard(async () => {
      const { path, found } = await this.#find(key);
      if (!found) throw notFound(key, this.url);
      // Should it have become a link or a pipe since: not followed, not waited for.
      await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const { size } = await file.stat();
      if (size > maxBytes) throw tooLarge(key, size, maxBytes);
      await admit?.(size);
      // Objects are replaced, never changed in place: what is open keeps its size.
      const body = Buffer.allocUnsafe(size);
      let filled = 0;
      while (filled < size) {
        const { bytesRead } = await file.read(body, filled, size - filled, filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      signal?.throwIfAborted();
      return body.subarray(0, filled);
    }, key);
  }

  async head(key: string): Promise<ObjectInfo | null> {
    checkKey(key);
    return this.#guard(async () => {
      const { found } = await this.#find(key);
      return found && { key, bytes: found.size };
    }, key);
  }

  async remove(key: string): Promise<void> {
    checkKey(key);
    await this.#guard(async () => {
      const path = join(await this.#root(), ...diskPath(key));
      if (!(await statObject(path))) return;
      await unlink(path).catch((error: unknown) => {
        if (!hasCode(error, 'ENOENT')) throw error;
      });
      await syncDirectory(dirname(path));
    }, key);
  }

  async *list(prefix = ''): AsyncGenerator<ObjectInfo> {
    try {
      yield* listDirectory(await this.#root(), prefix);
    } catch (error) {
      throw fileError(error, this.url);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(); // nothing is open between calls
  }

  /** The real path of the store's directory: it may itself be reached through a link, what is in it may not. */
  async #root(): Promise<string> {
    try {
      return await realpath(this.#dir);
    } catch (error) {
      throw hasCode(error, 'ENOENT', 'ENOTDIR') ? rootMissing(this.url, error) : error;
    }
  }

  /**
   * Nothing is there only as long as the store's directory is, and on the disk where objects were found: what is unmounted has
   * lost none, be it between two steps or with an empty directory left in its place.
   */
  async #find(key: string): Promise<{ path: string; found: Stats | null }> {
    const root = await this.#root();
    const path = join(root, ...diskPath(key));
    const found = await statObject(path);
    if (found) {
      this.#device = (await stat(root)).dev;
      return { path, found };
    }
    const { dev } = await stat(root);
    if ((await this.#root()) !== root || dev !== (this.#device ?? dev)) {
      throw rootMissing(this.url, new Error('another directory is in its place'));
    }
    return { path, found };
  }

  async #temporaryDirectory(root: string, key: string, isPrivate: boolean): Promise<string> {
    const temporary = join(root, TEMPORARY);
    if (this.#swept) return temporary;
    await mkdir(temporary, directoryMode(isPrivate)).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST')) throw error;
    });
    if (!(await statOwn(temporary, key))?.isDirectory()) throw inTheWay(temporary, key);
    await removeLeftovers(temporary);
    this.#swept = true;
    return temporary;
  }

  async #guard<T>(work: () => Promise<T>, key?: string): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw fileError(error, this.url, key);
    }
  }
}

/**
 * `lstat` that takes no detour: null where there is nothing, or where a directory on the way is a symbolic link.
 * Where the file system folds case or Unicode form and holds another key's file under this name, it throws.
 */
async function statOwn(path: string, key?: string): Promise<Stats | null> {
  try {
    const found = await lstat(path);
    if (found.isSymbolicLink()) return found;
    const real = await realpath(path);
    if (real === path) return found;
    if (key !== undefined)
      throw badKey(key, `the file system takes it for another name (${real}), or a link is in the way`);
    return null;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return null;
    throw error;
  }
}

async function statObject(path: string): Promise<Stats | null> {
  const found = await statOwn(path);
  return found?.isFile() ? found : null;
}

/** Makes `dir` and what is missing above it, durably, without going through a symbolic link. */
async function ensureDirectory(dir: string, key: string, isPrivate: boolean): Promise<void> {
  const found = await statOwn(dir, key);
  if (found?.isDirectory()) return;
  if (found) throw inTheWay(dir, key);
  await ensureDirectory(dirname(dir), key, isPrivate);
  await mkdir(dir, directoryMode(isPrivate)).catch((error: unknown) => {
    if (!hasCode(error, 'EEXIST')) throw error;
  });
  // Also where another writer made it: it may not have come to this line yet.
  await syncDirectory(dirname(dir));
}

function inTheWay(path: string, key: string) {
  return badKey(key, `${path} is in the way and was not made by this store`);
}

/**
 * What lies in a directory of its owner's alone is theirs alone, also once it is copied elsewhere; one that was opened to
 * others is shared with them, as far as the umask goes.
 */
const directoryMode = (isPrivate: boolean) => ({ mode: isPrivate ? 0o700 : 0o777 });

async function writeDurably(path: string, body: Buffer, isPrivate: boolean): Promise<void> {
  await using file = await open(path, 'wx', isPrivate ? 0o600 : 0o666);
  await file.writeFile(body);
  await file.sync();
}

async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open directories; its rename is journalled.
  if (process.platform === 'win32') return;
  await using directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await directory.sync();
}

async function removeLeftovers(temporary: string): Promise<void> {
  for (const name of await readdir(temporary)) {
    const path = join(temporary, name);
    const found = await lstat(path).catch(() => null);
    if (found?.isFile() && Date.now() - found.mtimeMs > LEFTOVER_MS) await rm(path, { force: true });
  }
}
