/** Whether a file that somebody may still be writing has come to rest: neither its size nor its time changes. */
import type { Stats } from 'node:fs';

export interface SettleOptions {
  /** How long it has to be unchanged, in milliseconds. */
  settleMs: number;
  /** Milliseconds since the epoch; and a clock that nobody sets. */
  now?: () => number;
  steady?: () => number;
}

type Seen = Pick<Stats, 'size' | 'mtimeMs' | 'ino'>;

export class Settled {
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
