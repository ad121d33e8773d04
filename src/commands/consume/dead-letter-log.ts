/** Logs dead letters: the first at once, what follows counted in a line now and then, each of them only at debug. */
import type { Logger } from 'pino';
import type { ConsumeEvent } from '../../lib/pipeline/consume/events.ts';

type Letter = Extract<ConsumeEvent, { kind: 'dead letter' }>;

/** How often the log counts them, in milliseconds. */
const sayEvery = 5000;

export class DeadLetterLog {
  readonly #log: Logger;
  readonly #untold = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  hear({ partition, offset, imageKey, code, message }: Letter): void {
    const first = this.#timer === undefined;
    this.#log[first ? 'warn' : 'debug']({ partition, offset, imageKey, code }, `dead letter: ${message}`);
    if (first) this.#timer = setTimeout(() => this.#tellAgain(), sayEvery).unref();
    else this.#untold.set(code, (this.#untold.get(code) ?? 0) + 1);
  }

  /** What has not been told yet. */
  flush(): void {
    if (this.#untold.size === 0) return;
    const letters = [...this.#untold.values()].reduce((a, b) => a + b);
    this.#log.warn({ byCode: Object.fromEntries(this.#untold) }, `${letters} more dead letters`);
    this.#untold.clear();
  }

  /** Goes on for as long as there are more. */
  #tellAgain(): void {
    const more = this.#untold.size > 0;
    this.flush();
    this.#timer = more ? setTimeout(() => this.#tellAgain(), sayEvery).unref() : undefined;
  }
}
