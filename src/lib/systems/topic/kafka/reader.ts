/** Reads one partition of a Kafka topic from a fixed offset. It never commits: that is the group client's business. */
import type { Message } from 'node-rdkafka';
import { pause } from '../../../base/flow/waiting.ts';
import type { TopicRecord } from '../../message/record.ts';
import { outOfRange, partitionMissing, topicMissing } from '../limits.ts';
import type { Committer, PartitionBounds, Reader } from '../topic.ts';
import { fromKafkaHeaders } from './client.ts';
import { codes, kafkaErrorCode, kafkaToTopicError, type Place } from './kafka-error.ts';
import { codecMissing, loadRdkafka } from './load.ts';
import type { Seat, SharedReading } from './shared-reading.ts';

/** Before what has failed is tried again, ms. */
const againMs = 10;

/** What a reader needs to know when something is odd. */
export interface Inquiry {
  topic: string;
  place: Place;
  partitions(): Promise<number>;
  bounds(partition: number): Promise<PartitionBounds>;
}

export class KafkaReader implements Reader {
  readonly partition: number;
  readonly #reading: SharedReading;
  readonly #seat: Seat;
  readonly #inquiry: Inquiry;
  readonly #commits: Committer;
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;

  constructor(reading: SharedReading, seat: Seat, inquiry: Inquiry, commits: Committer) {
    this.partition = seat.partition;
    this.#reading = reading;
    this.#seat = seat;
    this.#inquiry = inquiry;
    this.#commits = commits;
  }

  get caughtUpTo(): number | null {
    return this.#seat.messages.length === 0 ? this.#seat.end : null;
  }

  async *records(stop: AbortSignal): AsyncGenerator<TopicRecord> {
    const signal = AbortSignal.any([stop, this.#closing.signal]);
    const seat = this.#seat;
    while (!signal.aborted) {
      const message = this.#reading.take(seat);
      if (message !== undefined) {
        yield toRecord(message);
        continue;
      }
      for (const [code, error] of seat.faults) {
        seat.faults.delete(code);
        await this.#explain(error);
      }
      await this.#reading.wait(seat, signal);
    }
  }

  commit(partition: number, offset: number): Promise<void> {
    return this.#commits.commit(partition, offset);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    return (this.#closed ??= this.#reading.leave(this.partition));
  }

  /** Throws unless waiting helps, or it is another partition's fault. */
  async #explain(error: unknown): Promise<void> {
    const code = kafkaErrorCode(error);
    const { topic, place } = this.#inquiry;
    // librdkafka wants a group named, and looks for it; nothing is asked of it here.
    if (code === codes.groupAuthorization) return;
    if (code === codes.offsetReset || code === codes.offsetOutOfRange) {
      const { first, end } = await this.#bounds();
      const { next } = this.#seat;
      if (next < first || next > end)
        throw outOfRange(topic, this.partition, next, `${first} up to, not including, ${end}`);
      // librdkafka reads nothing more of the partition that it means.
      this.#reading.again(this.#seat);
      return;
    }
    if (
      ([codes.unknownTopicOrPartition, codes.unknownTopic, codes.unknownPartition] as number[]).includes(code)
    ) {
      // A broker that has just come up may say so of a topic that exists.
      const partitions = await this.#inquiry.partitions().catch(() => undefined);
      if (partitions === 0) throw topicMissing(topic);
      if (partitions !== undefined && partitions <= this.partition) {
        throw partitionMissing(topic, this.partition, partitions);
      }
    } else {
      if (code === codes.notImplemented || code === codes.unsupportedCompression) {
        const { end } = await this.#bounds();
        if (end <= this.#seat.next) return;
        const where = { topic, partition: this.partition, brokers: place.brokers, cause: error };
        const missing = codecMissing(loadRdkafka().features, where);
        if (missing !== undefined) throw missing;
      }
      const fault = kafkaToTopicError(error, 'reading', place);
      if (!fault.retryable) throw fault;
    }
    await pause(againMs, this.#closing.signal);
  }

  /** Waits for brokers that are away. */
  async #bounds(): Promise<PartitionBounds> {
    for (;;) {
      try {
        return await this.#inquiry.bounds(this.partition);
      } catch (error) {
        if (
          this.#closing.signal.aborted ||
          !kafkaToTopicError(error, 'reading', this.#inquiry.place).retryable
        )
          throw error;
        await pause(50 * againMs, this.#closing.signal);
      }
    }
  }
}

function toRecord({ topic, partition, offset, timestamp, key, value, headers }: Message): TopicRecord {
  return {
    topic,
    partition,
    offset,
    timestamp: timestamp ?? 0,
    key: typeof key === 'string' ? Buffer.from(key) : (key ?? null),
    value,
    headers: fromKafkaHeaders(headers),
  };
}
