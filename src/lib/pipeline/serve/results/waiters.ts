/** Those who wait for the outcome of a request: one query for all of them, and none while nobody waits. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RequestOutcome } from '../../../systems/database/tables/results.ts';

export interface WaitersOptions {
  find: (ids: readonly string[]) => Promise<RequestOutcome[]>;
  /** Between two questions, in milliseconds. */
  pollMs?: number;
  /** Most who wait at a time; others are not kept waiting. */
  most?: number;
}

/** Longest pause while the database does not answer, in milliseconds. */
const longestPauseMs = 1000;

export class Waiters {
  readonly #options: Required<WaitersOptions>;
  readonly #waiting = new Map<string, Set<(outcome: RequestOutcome | null) => void>>();
  #count = 0;
  #polling = false;
  #closed = false;

  constructor(options: WaitersOptions) {
    this.#options = { pollMs: 30, most: 2000, ...options };
  }

  get count(): number {
    return this.#count;
  }

  /** Null after `ms` milliseconds, when `signal` aborts, when too many wait already, and when the server stops. */
  async wait(id: string, ms: number, signal: AbortSignal): Promise<RequestOutcome | null> {
    if (ms <= 0 || this.#closed || signal.aborted || this.#count >= this.#options.most) return null;
    const group = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, group);
    this.#count++;
    return new Promise((resolve) => {
      const done = (outcome: RequestOutcome | null) => {
        if (!group.delete(done)) return;
        if (group.size === 0) this.#waiting.delete(id);
        this.#count--;
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        resolve(outcome);
      };
      const stop = () => done(null);
      const timer = setTimeout(stop, ms);
      signal.addEventListener('abort', stop);
      group.add(done);
      if (!this.#polling) void this.#poll();
    });
  }

  /** Lets all go, and keeps nobody waiting from now on. */
  close(): void {
    this.#closed = true;
    for (const group of this.#waiting.values()) for (const done of group) done(null);
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    let pauseMs = this.#options.pollMs;
    while (this.#waiting.size > 0) {
      try {
        for (const outcome of await this.#options.find([...this.#waiting.keys()])) {
          for (const done of this.#waiting.get(outcome.id) ?? []) done(outcome);
        }
        pauseMs = this.#options.pollMs;
      } catch {
        // Whoever waits gets no worse answer than that it takes longer.
        pauseMs = Math.min(2 * pauseMs, longestPauseMs);
      }
      if (this.#waiting.size > 0) await sleep(pauseMs);
    }
    this.#polling = false;
  }
}
