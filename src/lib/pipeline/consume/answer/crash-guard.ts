/**
 * Finds the image that kills the process. After an owner ended abnormally its window is worked on one request at a time,
 * each marked in the database before it starts, with no other image of the process in native code meanwhile: a mark
 * that its process left behind names the request that was alone when the process died, and no other is blamed.
 */
import type { Pool } from 'pg';
import { VisionscaleError } from '../../../base/errors.ts';

/** A request that was alone at so many crashes is given up. */
const mostCrashes = 3;

/** Runs the part of the work that may kill the process: what has an image's bytes in native code. */
export type Guard = <T>(requestId: string, run: () => Promise<T>) => Promise<T>;

/** One for the process. */
export class CrashGuard {
  readonly #pool: Pool;
  readonly #pipeline: string;
  readonly #owner: string;
  #running = 0;
  #alone = 0;
  #turn: Promise<void> = Promise.resolve();
  #changed: (() => void)[] = [];

  constructor(pool: Pool, { pipeline, owner }: { pipeline: string; owner: string }) {
    this.#pool = pool;
    this.#pipeline = pipeline;
    this.#owner = owner;
  }

  /** The ordinary way: beside others, but not beside one that has to be alone. */
  readonly beside: Guard = async (_requestId, run) => {
    while (this.#alone > 0) await this.#change();
    this.#running++;
    try {
      return await run();
    } finally {
      this.#running--;
      this.#tell();
    }
  };

  /** Alone in the process, and marked. Throws `crashes_process` for a request that was alone at three crashes. */
  readonly alone: Guard = async (requestId, run) => {
    this.#alone++;
    const before = this.#turn;
    let done: () => void = () => undefined;
    this.#turn = new Promise((resolve) => (done = resolve));
    try {
      await before;
      while (this.#running > 0) await this.#change();
      return await this.#marked(requestId, run);
    } finally {
      this.#alone--;
      done();
      this.#tell();
    }
  };

  async #marked<T>(requestId: string, run: () => Promise<T>): Promise<T> {
    const crashes = await markSuspect(this.#pool, this.#pipeline, requestId, this.#owner);
    try {
      if (crashes < mostCrashes) return await run();
    } finally {
      // Should it fail: the same process may mark it again without being counted.
      await clearSuspect(this.#pool, this.#pipeline, requestId).catch(() => undefined);
    }
    throw new VisionscaleError(`the process died ${crashes} times while it worked on this image alone`, {
      code: 'crashes_process',
      hint: 'Keep the image for a report; retry or drop it with `visionscale dead-letters`.',
    });
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  #tell(): void {
    const changed = this.#changed;
    this.#changed = [];
    for (const wake of changed) wake();
  }
}

// The table suspects: requests that are worked on alone after an owner ended abnormally, marked before they start.

/** Marks the request; returns how many processes before this one had marked it and ended without taking the mark back. */
async function markSuspect(pool: Pool, pipeline: string, requestId: string, owner: string): Promise<number> {
  const { rows } = await pool.query<{ before: number }>(
    `insert into suspects as s (pipeline, request_id, owner) values ($1, $2, $3)
     on conflict (pipeline, request_id) do update set
       starts = s.starts + (s.owner <> excluded.owner)::int, owner = excluded.owner, started_at = clock_timestamp()
     returning starts - 1 as before`,
    [pipeline, requestId, owner],
  );
  return rows[0]!.before;
}

/** It has ended, well or badly, and the process lives. */
async function clearSuspect(pool: Pool, pipeline: string, requestId: string): Promise<void> {
  await pool.query('delete from suspects where pipeline = $1 and request_id = $2', [pipeline, requestId]);
}
