/** What a process has in work at this moment, a consumer over all its partitions, a server over all who send; and the bound on its bytes. */

export interface Load {
  requests: number;
  /** Of encoded images. */
  bytes: number;
}

export function noLoad(): Load {
  return { requests: 0, bytes: 0 };
}

/** Bounds the bytes that all images in work may take: who comes when they are used up waits. */
export class ByteBudget {
  readonly bytes: number;
  #used = 0;
  readonly #waiting: { bytes: number; go: () => void }[] = [];

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  get used(): number {
    return this.#used;
  }

  /**
   * Resolves when there is room, first come, first served; what is larger than the whole budget goes when nothing else
   * is in memory. Rejects with the signal's reason. Nobody who holds a share may wait for another one.
   */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#waiting.length === 0 && this.#fits(bytes)) {
      this.#used += bytes;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const abort = () => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(signal.reason as Error);
        this.#admit();
      };
      const entry = {
        bytes,
        go: () => {
          signal.removeEventListener('abort', abort);
          resolve();
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.push(entry);
    });
  }

  give(bytes: number): void {
    this.#used -= bytes;
    this.#admit();
  }

  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.bytes;
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#used += next.bytes;
      next.go();
    }
  }
}
