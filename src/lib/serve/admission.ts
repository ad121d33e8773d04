/** Bounds what the server takes on: images between received and acknowledged, and the bytes of all that are in memory. */
import { type Load, noLoad } from '../consume/load.ts';
import { Problem } from './problem.ts';

/** When those who are turned away should come again, in seconds. */
const retryAfter = 1;

export class Admission {
  readonly #most: { images: number; bytes: number };
  readonly #load: Load;

  /** `load` is kept up to date, for whoever wants to see it. */
  constructor(most: { images: number; bytes: number }, load: Load = noLoad()) {
    this.#most = most;
    this.#load = load;
  }

  get images(): number {
    return this.#load.requests;
  }

  get bytes(): number {
    return this.#load.bytes;
  }

  /** Before anything of an image is read: throws a 429 where it could not be taken in anyway. */
  check(): void {
    if (this.#load.requests >= this.#most.images || this.#load.bytes >= this.#most.bytes) throw this.#busy();
  }

  /** A place for one image; disposing gives it back. Throws a 429 where there is none. */
  enter(): Disposable {
    if (this.#load.requests >= this.#most.images) throw this.#busy();
    this.#load.requests++;
    return once(() => this.#load.requests--);
  }

  /** Memory that grows with what arrives; disposing gives all of it back. */
  memory(): Memory {
    let held = 0;
    return {
      take: (bytes) => {
        if (this.#load.bytes + bytes > this.#most.bytes) throw this.#busy();
        this.#load.bytes += bytes;
        held += bytes;
      },
      ...once(() => (this.#load.bytes -= held)),
    };
  }

  #busy(): Problem {
    return new Problem(429, 'busy', 'the server has as many images in hand as it takes at a time', {
      hint: 'Send it again after the time that Retry-After says.',
      retryAfter,
    });
  }
}

export interface Memory extends Disposable {
  /** Throws a 429 where there is no more. */
  take(bytes: number): void;
}

function once(give: () => void): Disposable {
  let given = false;
  return {
    [Symbol.dispose]() {
      if (given) return;
      given = true;
      give();
    },
  };
}
