/** One look at a file of the folder: is it whole, is it an image, and what becomes of it. */
import type { Stats } from 'node:fs';
import { lstat, realpath, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { ImageError, ObjectError } from '../../base/errors.ts';
import { readImageFile, tooManyBytes } from '../../base/files/read-file.ts';
import { markProduced, pendingAmong } from '../../systems/database/tables/images.ts';
import { keyMessage } from '../../systems/message/record.ts';
import { objectKeyFault } from '../../systems/objects/store.ts';
import type { Producer } from '../../systems/topic/topic.ts';
import { uploadImage, type UploadImageDeps } from '../upload/upload.ts';
import { relativePath } from './folder.ts';

export interface VisitDeps {
  sender: Sender;
  settled: SettledFiles;
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

/** Whether a file that somebody may still be writing has come to rest: neither its size nor its time changes. */
interface SettleOptions {
  /** How long it has to be unchanged, in milliseconds. */
  settleMs: number;
  /** Milliseconds since the epoch; and a clock that nobody sets. */
  now?: () => number;
  steady?: () => number;
}

type Seen = Pick<Stats, 'size' | 'mtimeMs' | 'ino'>;

export class SettledFiles {
  readonly #settleMs: number;
  readonly #now: () => number;
  readonly #steady: () => number;
  readonly #seen = new Map<string, { file: Seen; since: number }>();

  constructor({ settleMs, now = Date.now, steady = () => performance.now() }: SettleOptions) {
    this.#settleMs = settleMs;
    this.#now = now;
    this.#steady = steady;
  }

  /**
   * For how long the file has been as it is now, as far as is known, and how long it still has to be, both in
   * milliseconds. Its own time tells at once where a whole file was moved in; where that lies in the future (another
   * host's clock), only having seen it unchanged does.
   */
  look(path: string, { size, mtimeMs, ino }: Seen): { unchangedMs: number; waitMs: number } {
    const before = this.#seen.get(path);
    const same = before?.file.size === size && before.file.mtimeMs === mtimeMs && before.file.ino === ino;
    const since = same ? before.since : this.#steady();
    if (!same) this.#seen.set(path, { file: { size, mtimeMs, ino }, since });
    const unchangedMs = Math.max(this.#steady() - since, this.#now() - mtimeMs);
    return { unchangedMs, waitMs: Math.max(0, this.#settleMs - unchangedMs) };
  }

  forget(path: string): void {
    this.#seen.delete(path);
  }
}

/** Sends one image that is whole: to the store, the table and the topic; what was sent before is not sent again. */
export interface SenderDeps extends UploadImageDeps {
  pool: Pool;
  producer: Producer;
}

export interface Image {
  key: string;
  content: Buffer;
  capturedAt: Date;
}

export class Sender {
  readonly #deps: SenderDeps;
  readonly #belt: string | undefined;

  constructor(deps: SenderDeps, { belt }: { belt?: string }) {
    this.#deps = deps;
    this.#belt = belt;
  }

  /**
   * A key is marked after the topic's acknowledgement. Killed in between, the next run sends it again under the same
   * request id, and the consumer's record of that request makes it one. Throws an ImageError where it is no image.
   */
  async send({ key, content, capturedAt }: Image): Promise<{ sent: boolean; replaced: boolean }> {
    const { pool, producer, images, patiently } = this.#deps;
    const [known] = await patiently(() => images.lookup([key]));
    const knownSha256 = known?.sha256 ?? null;
    const uploaded = await uploadImage(this.#deps, { key, content, knownSha256 });
    const pending = await patiently(() => pendingAmong(pool, [key]));
    if (pending.length > 0) {
      const belt = this.#belt;
      const messages = pending.map(({ round }) => keyMessage({ key, round, capturedAt, belt }));
      await patiently(() => producer.send(messages));
      await patiently(() => markProduced(pool, pending));
    }
    const replaced = uploaded === 'uploaded' && knownSha256 !== null;
    return { sent: uploaded === 'uploaded' || pending.length > 0, replaced };
  }
}

export type WatchEvent =
  /** Everything that was there at the start has been found. */
  | { kind: 'watching'; dir: string }
  /** In the store and the table, and its key in the topic. */
  | { kind: 'sent'; path: string; key: string; bytes: number; replaced: boolean; capturedAt: Date }
  /** Known from before, and sent then. */
  | { kind: 'skipped'; path: string; key: string }
  /** Not an image, or never finished. It is looked at again when it changes. */
  | { kind: 'rejected'; path: string; reason: string }
  /** No image by its name: of the kind `what`. */
  | { kind: 'passed over'; path: string; what: string }
  | { kind: 'deleted'; path: string }
  /** Something is away; the step is tried again. */
  | { kind: 'waiting'; reason: string; code: string }
  /** A place that cannot be watched. */
  | { kind: 'problem'; reason: string };
