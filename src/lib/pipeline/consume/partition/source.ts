/** A partition's records in stretches: what one stretch read too far is where the next one begins. */
import type { Reader, TopicRecord } from '../../../systems/topic/topic.ts';

export class Source {
  readonly #reader: Reader;
  #ahead: TopicRecord | undefined;
  #taken: number;

  constructor(reader: Reader, from: number) {
    this.#reader = reader;
    this.#taken = from;
  }

  /** One past the last record that was handed out or read too far. */
  get taken(): number {
    return this.#taken;
  }

  /** The records before offset `end` (null: all, for ever). Ends without an error when `signal` aborts. */
  async *upTo(end: number | null, signal: AbortSignal): AsyncGenerator<TopicRecord> {
    const isBefore = (offset: number) => end === null || offset < end;
    if (this.#ahead !== undefined) {
      const record = this.#ahead;
      if (!isBefore(record.offset)) return;
      this.#ahead = undefined;
      yield record;
      if (!isBefore(record.offset + 1)) return;
    }
    for await (const record of this.#reader.records(signal)) {
      this.#taken = record.offset + 1;
      if (!isBefore(record.offset)) {
        this.#ahead = record;
        return;
      }
      yield record;
      if (!isBefore(record.offset + 1)) return;
    }
  }
}
