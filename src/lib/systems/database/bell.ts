/** Wakes who waits for something to be written: LISTEN on one connection; polling where it is lost, or behind a pooler. */
import type pg from 'pg';
import { pause } from '../../base/flow/waiting.ts';
import { Client } from './connection.ts';
import { sessionOf } from './session.ts';

export class Bell implements AsyncDisposable {
  readonly #pool: pg.Pool;
  readonly #channel: string;
  readonly #closing = new AbortController();
  readonly #rings = new Map<string, number>();
  readonly #waiting = new Set<{ payload: string; wake: () => void }>();
  #listening: Promise<void> | undefined;

  /** `channel` is an identifier: it is not quoted. */
  constructor(pool: pg.Pool, channel: string) {
    this.#pool = pool;
    this.#channel = channel;
  }

  /** Take it before looking for news, hand it to `wait` after: what rang in between is then not missed. */
  rings(payload: string): number {
    // Behind a pooler another client would hear what this one listens for.
    if (sessionOf(this.#pool)?.pooled !== true) this.#listening ??= this.#listen();
    return this.#rings.get(payload) ?? 0;
  }

  /** Settles when `payload` has rung since `seen`, after `atMost` ms, or when `signal` aborts. */
  async wait(payload: string, seen: number, atMost: number, signal: AbortSignal): Promise<void> {
    if (this.rings(payload) !== seen) return;
    const rung = new AbortController();
    const waiting = { payload, wake: () => rung.abort() };
    this.#waiting.add(waiting);
    signal.addEventListener('abort', waiting.wake);
    if (!signal.aborted) await pause(atMost, rung.signal);
    signal.removeEventListener('abort', waiting.wake);
    this.#waiting.delete(waiting);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#listening;
  }

  #ring(payload: string): void {
    this.#rings.set(payload, (this.#rings.get(payload) ?? 0) + 1);
    for (const { payload: wanted, wake } of this.#waiting) if (wanted === payload) wake();
  }

  async #listen(): Promise<void> {
    for (let delay = 100; !this.#closing.signal.aborted; delay = Math.min(delay * 2, 5_000)) {
      if (await this.#session()) delay = 100;
      await pause(delay, this.#closing.signal);
    }
  }

  /** One connection, until it is lost or the bell closed. Says whether it came to listening. */
  async #session(): Promise<boolean> {
    // The pool's own settings, so that it follows a server that has moved; its password is not enumerable: no copy.
    const client = new Client(this.#pool.options);
    const lost = new AbortController();
    client.on('error', () => lost.abort());
    client.on('end', () => lost.abort());
    client.on('notification', ({ payload }) => this.#ring(payload ?? ''));
    try {
      await client.connect();
      await client.query(`listen ${this.#channel}`);
      // Whatever was written while nobody listened.
      for (const { wake } of this.#waiting) wake();
      await pause(2 ** 31 - 1, AbortSignal.any([lost.signal, this.#closing.signal]));
      await client.end().catch(() => undefined);
      return true;
    } catch {
      // Polling goes on meanwhile, and the readers' own queries say what is wrong.
      client.cut();
      return false;
    }
  }
}
