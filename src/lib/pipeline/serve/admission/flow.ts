/** How fast something has come lately, in two counts of one window each: what came before them is forgotten. */
export class Flow {
  readonly #windowMs: number;
  #began = performance.now();
  #former = 0;
  #latest = 0;
  #windows = 0;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  add(bytes: number): void {
    this.#turn();
    this.#latest += bytes;
  }

  /** In bytes a second, over the last one to two windows. */
  rate(): number {
    const since = this.#turn() + (this.#windows > 0 ? this.#windowMs : 0);
    return since <= 0 ? Infinity : ((this.#former + this.#latest) * 1000) / since;
  }

  /** Milliseconds of the window that has begun. */
  #turn(): number {
    const elapsed = performance.now() - this.#began;
    const over = Math.floor(elapsed / this.#windowMs);
    if (over === 0) return elapsed;
    this.#former = over === 1 ? this.#latest : 0;
    this.#latest = 0;
    this.#windows += over;
    this.#began += over * this.#windowMs;
    return elapsed - over * this.#windowMs;
  }
}
