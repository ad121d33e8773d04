/** One look at a file of the folder: is it whole, is it an image, and what becomes of it. */
import type { Stats } from 'node:fs';
import { lstat, realpath, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ImageError, ObjectError } from '../../base/errors.ts';
import { readImageFile, tooManyBytes } from '../../base/files/read-file.ts';
import { objectKeyFault } from '../../systems/objects/key.ts';
import type { WatchEvent } from './events.ts';
import { relativePath } from './folder.ts';
import type { Sender } from './send.ts';
import type { Settled } from './settled.ts';

export interface VisitDeps {
  sender: Sender;
  settled: Settled;
  report: (event: WatchEvent) => void;
}

export interface VisitOptions {
  /** The real path of the watched folder. */
  dir: string;
  /** What keys begin with. */
  prefix: string;
  maxBytes: number;
  /** How long a file that cannot be decoded has to be unchanged until that is its fault, in milliseconds. */
  incompleteMs: number;
  deleteAfter: boolean;
}

/** In milliseconds. */
const soonMs = 100;

export class Visit {
  readonly #deps: VisitDeps;
  readonly #options: VisitOptions;

  constructor(deps: VisitDeps, options: VisitOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Returns after how many milliseconds it wants another look; null: not before it changes. */
  async visit(path: string): Promise<number | null> {
    const { settled } = this.#deps;
    const relative = relativePath(this.#options.dir, path);
    const stats = await lstat(path).catch(() => null);
    if (stats === null) {
      settled.forget(path);
      // Names that are not UTF-8 come with a sign in the place of what could not be read.
      if (relative.includes('\ufffd')) this.#reject(path, 'its name is not valid UTF-8: rename it');
      return null;
    }
    if (!stats.isFile()) return this.#reject(path, 'it is not a regular file');
    const key = this.#options.prefix + relative;
    const fault = objectKeyFault(key);
    if (fault !== undefined) return this.#reject(path, `its name cannot be a key: ${fault}`);
    const { waitMs, unchangedMs } = settled.look(path, stats);
    if (waitMs > 0) return waitMs;
    return this.#send(path, key, stats, unchangedMs);
  }

  async #send(path: string, key: string, stats: Stats, unchangedMs: number): Promise<number | null> {
    const { sender, settled, report } = this.#deps;
    const { maxBytes } = this.#options;
    try {
      if (stats.size > maxBytes) throw tooManyBytes(stats.size, maxBytes);
      await this.#checkInside(path, relativePath(this.#options.dir, path));
      const content = await readImageFile(path, maxBytes);
      const capturedAt = stats.mtime;
      const { sent, replaced } = await sender.send({ key, content, capturedAt });
      settled.forget(path);
      if (sent) report({ kind: 'sent', path, key, bytes: content.length, replaced, capturedAt });
      else report({ kind: 'skipped', path, key });
      if (this.#options.deleteAfter) await this.#delete(path, stats);
      return null;
    } catch (error) {
      if (error instanceof ObjectError && error.code === 'bad_key') return this.#reject(path, error.message);
      if (!(error instanceof ImageError)) throw error;
      // It changed, or vanished, while it was read.
      if (error.code === 'unreadable' && unchangedMs < this.#options.incompleteMs) return soonMs;
      // What cannot be decoded may be an image whose writer pauses.
      const leftMs = this.#options.incompleteMs - unchangedMs;
      if (leftMs > 0) return leftMs;
      settled.forget(path);
      return this.#reject(path, error.message);
    }
  }

  /** Should a directory on the way have become a link: what it leads to was not put into the folder. */
  async #checkInside(path: string, relative: string): Promise<void> {
    const real = await realpath(path).catch(() => null);
    if (real === join(this.#options.dir, relative)) return;
    throw new ImageError('a symbolic link is in its way', { code: 'unreadable' });
  }

  /** Only what was sent: not what has taken its place meanwhile. */
  async #delete(path: string, sent: Stats): Promise<void> {
    const now = await lstat(path).catch(() => null);
    if (now === null || now.ino !== sent.ino || now.mtimeMs !== sent.mtimeMs || now.size !== sent.size)
      return;
    const gone = await unlink(path).then(
      () => true,
      (error: unknown) => {
        this.#deps.report({ kind: 'problem', reason: `${path} cannot be deleted: ${String(error)}` });
        return false;
      },
    );
    if (gone) this.#deps.report({ kind: 'deleted', path });
  }

  #reject(path: string, reason: string): null {
    this.#deps.report({ kind: 'rejected', path, reason });
    return null;
  }
}
