/** Paths that deserve a look, now or after a while: each is looked at by one worker at a time, and again when it was touched meanwhile. */

export class LookList {
  /** In the order they came. */
  readonly #ready = new Set<string>();
  readonly #later = new Map<string, NodeJS.Timeout>();
  /** Being looked at; true: once more after that. */
  readonly #busy = new Map<string, boolean>();
  #wake: () => void = () => undefined;

  /** Something happened to it. */
  touch(path: string): void {
    if (this.#busy.has(path)) this.#busy.set(path, true);
    else this.#now(path);
  }

  /** A worker is done with it; `afterMs`: it is to be looked at again then, if nothing happens before. */
  done(path: string, afterMs: number | null): void {
    const touched = this.#busy.get(path) === true;
    this.#busy.delete(path);
    if (touched) return this.#now(path);
    if (afterMs === null) return;
    // Whoever has stopped taking paths does not wait for it.
    this.#later.set(path, setTimeout(() => this.#now(path), afterMs).unref());
  }

  /** For ever, until `signal` aborts. What is handed out is given back by `done`. */
  async *paths(signal: AbortSignal): AsyncGenerator<string> {
    const stop = () => this.#wake();
    signal.addEventListener('abort', stop);
    try {
      while (!signal.aborted) {
        const [path] = this.#ready;
        if (path === undefined) {
          await new Promise<void>((resolve) => (this.#wake = resolve));
          continue;
        }
        this.#ready.delete(path);
        this.#busy.set(path, false);
        yield path;
      }
    } finally {
      signal.removeEventListener('abort', stop);
      for (const timer of this.#later.values()) clearTimeout(timer);
    }
  }

  #now(path: string): void {
    clearTimeout(this.#later.get(path));
    this.#later.delete(path);
    this.#ready.add(path);
    this.#wake();
  }
}
