/** Places that senders share: no more than so many in all, and no more than so many for one of them. */

export class Places {
  readonly #most: { all: number; each: number };
  readonly #taken = new Map<string, number>();
  #all = 0;

  constructor(most: { all: number; each: number }) {
    this.#most = most;
  }

  /** What is full; undefined where there is a place. */
  full(sender: string): 'all' | 'each' | undefined {
    if (this.#all >= this.#most.all) return 'all';
    return (this.#taken.get(sender) ?? 0) >= this.#most.each ? 'each' : undefined;
  }

  /** Returns how to give it back, once. */
  take(sender: string): () => void {
    this.#all++;
    this.#taken.set(sender, (this.#taken.get(sender) ?? 0) + 1);
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#all--;
      const left = this.#taken.get(sender)! - 1;
      if (left > 0) this.#taken.set(sender, left);
      else this.#taken.delete(sender);
    };
  }
}
