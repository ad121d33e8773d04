/** Why a partition is waiting: what its retries wait for, for `status` and the log. */
import { errorMessage } from '../../../base/errors.ts';

export class Waits {
  readonly #reasons = new Map<unknown, string>();
  readonly #onChange: (reason: string | null) => void;
  #told: string | null = null;

  /** `onChange` hears the reason when waiting begins or changes, and null when everything goes on. */
  constructor(onChange: (reason: string | null) => void) {
    this.#onChange = onChange;
  }

  /** The oldest reason there is; null while nothing waits. */
  get reason(): string | null {
    return this.#reasons.values().next().value ?? null;
  }

  /** Runs something that retries, keeping its reason here for as long as it waits. */
  async during<T>(run: (onWait: (error: unknown) => void) => Promise<T>): Promise<T> {
    const id = Symbol();
    try {
      return await run((error) => {
        this.#reasons.set(id, errorMessage(error));
        this.#tell();
      });
    } finally {
      if (this.#reasons.delete(id)) this.#tell();
    }
  }

  /** For something that waits by itself: its reason, until it is cleared. */
  set(who: object, reason: string): void {
    this.#reasons.set(who, reason);
    this.#tell();
  }

  clear(who: object): void {
    if (this.#reasons.delete(who)) this.#tell();
  }

  #tell(): void {
    if (this.reason === this.#told) return;
    this.#told = this.reason;
    this.#onChange(this.#told);
  }
}
