/** Passes notices on, each text at most once in half a minute: librdkafka repeats itself while brokers are away. */

const quietMs = 30_000;

export class Notices {
  readonly #onNotice: (text: string) => void;
  readonly #given = new Map<string, number>();

  constructor(onNotice: ((text: string) => void) | undefined) {
    this.#onNotice = onNotice ?? (() => undefined);
  }

  readonly give = (text: string): void => {
    const now = performance.now();
    if (now - (this.#given.get(text) ?? -Infinity) < quietMs) return;
    if (this.#given.size > 100) this.#given.clear();
    this.#given.set(text, now);
    this.#onNotice(text);
  };
}
