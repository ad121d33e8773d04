/**
 * Messages in work that somebody moves into dead letters meanwhile. Their work is cut short, however stuck it is, and
 * nothing of it counts.
 */
import type { TopicRecord } from '../../../systems/message/record.ts';
import type { Answered } from '../answer/answer.ts';

export class PassedOver {
  #before = 0;
  readonly #alone = new Set<number>();
  readonly #inWork = new Map<TopicRecord, () => void>();

  /** In the order they were taken. */
  get inWork(): Iterable<TopicRecord> {
    return this.#inWork.keys();
  }

  /** Everything before this offset: the position in the database is there, and what was before it has its outcome. */
  moveTo(offset: number): void {
    this.#before = Math.max(this.#before, offset);
    this.#stop();
  }

  /** This message, and no other. */
  moveOver(offset: number): void {
    this.#alone.add(offset);
    this.#stop();
  }

  /** What became of the message, or nothing where it was passed over. */
  settled(answered: Answered): Answered {
    return this.#has(answered.record) ? nothingOf(answered.record) : answered;
  }

  /** The outcome of `work`, or nothing at once where the message is passed over. Work that goes on is told by its signal. */
  async during(
    record: TopicRecord,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<Answered>,
  ): Promise<Answered> {
    if (this.#has(record)) return nothingOf(record);
    const over = new AbortController();
    const stop = () => over.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const passed = new Promise<Answered>((resolve) =>
      this.#inWork.set(record, () => {
        resolve(nothingOf(record));
        stop();
      }),
    );
    try {
      return await Promise.race([passed, work(over.signal)]);
    } finally {
      this.#inWork.delete(record);
      signal.removeEventListener('abort', stop);
    }
  }

  #has({ offset }: TopicRecord): boolean {
    return offset < this.#before || this.#alone.has(offset);
  }

  #stop(): void {
    for (const [record, stop] of this.#inWork) if (this.#has(record)) stop();
  }
}

function nothingOf(record: TopicRecord): Answered {
  return { record, outcomes: [], ignored: 0 };
}
