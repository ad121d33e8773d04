/** Reads one partition of a Kafka topic from a fixed offset. It never commits: that is the group client's business. */
import type { KafkaConsumer, Message } from 'node-rdkafka';
import { pause } from '../../../base/flow/waiting.ts';
import type { TopicRecord } from '../../message/record.ts';
import { outOfRange, partitionMissing, topicMissing } from '../limits.ts';
import type { Committer, PartitionBounds, Reader, ReaderOptions } from '../topic.ts';
import { type Consumer, fromKafkaHeaders } from './client.ts';
import { codes, kafkaErrorCode, kafkaToTopicError } from './kafka-error.ts';
import { codecMissing, loadRdkafka } from './load.ts';
import type { Prefetch } from './properties.ts';

/** How long a reader that blocks a thread of libuv's pool does so at a time, ms. */
const blockMs = 50;
/** Longest pause between two looks of any other reader, ms. */
const longestPauseMs = 8;
/** How many readers do. Two of the pool's four threads stay free for files, names and questions to the cluster. */
const mostBlocking = 2;
let blocking = 0;

/** What a reader needs to know when something is odd. */
export interface Inquiry {
  topic: string;
  brokers: string;
  partitions(): Promise<number>;
  bounds(partition: number): Promise<PartitionBounds>;
}

export class KafkaReader implements Reader {
  readonly partition: number;
  readonly #consumer: Consumer;
  readonly #inquiry: Inquiry;
  readonly #commits: Committer;
  readonly #prefetch: Prefetch;
  readonly #closing = new AbortController();
  #next: number;
  #ready: Message[] = [];
  #eof: number | null = null;
  /** Mean size of the records last read, bytes. */
  #recordBytes = 0;

  /** `prefetch` is what this side holds; the consumer's properties bound what librdkafka does. */
  constructor(
    consumer: Consumer,
    inquiry: Inquiry,
    commits: Committer,
    options: ReaderOptions,
    prefetch: Prefetch,
  ) {
    this.partition = options.partition;
    this.#consumer = consumer;
    this.#inquiry = inquiry;
    this.#commits = commits;
    this.#prefetch = prefetch;
    this.#next = options.from;
    // Emitted within a poll, before its messages are known here; they are all before it.
    this.#kafka.on('partition.eof', ({ partition, offset }: { partition: number; offset: number }) => {
      if (partition === this.partition) this.#eof = offset;
    });
    this.#kafka.assign([{ topic: inquiry.topic, partition: options.partition, offset: options.from }]);
  }

  get caughtUpTo(): number | null {
    return this.#ready.length === 0 ? this.#eof : null;
  }

  get #kafka(): KafkaConsumer {
    return this.#consumer.kafka;
  }

  async *records(stop: AbortSignal): AsyncGenerator<TopicRecord> {
    const signal = AbortSignal.any([stop, this.#closing.signal]);
    let pauseMs = 1;
    while (!signal.aborted) {
      const message = this.#ready.shift();
      if (message !== undefined) {
        this.#next = message.offset + 1;
        yield toRecord(message);
        continue;
      }
      try {
        this.#ready = await this.#poll();
      } catch (error) {
        await this.#explain(error);
      }
      if (this.#ready.length > 0) pauseMs = 1;
      else if (blocking >= mostBlocking) {
        await pause(pauseMs, signal);
        pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      }
    }
  }

  commit(partition: number, offset: number): Promise<void> {
    return this.#commits.commit(partition, offset);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    return this.#consumer[Symbol.asyncDispose]();
  }

  /** What is ready. Where nothing is, some readers of this process wait in librdkafka, the others come back. */
  async #poll(): Promise<Message[]> {
    const fitting = Math.floor(this.#prefetch.bytes / Math.max(1, this.#recordBytes));
    const ready = await this.#consumer.poll(Math.max(1, Math.min(fitting, this.#prefetch.records)), 0);
    if (ready.length > 0) this.#recordBytes = ready.reduce((sum, { size }) => sum + size, 0) / ready.length;
    if (ready.length > 0 || blocking >= mostBlocking) return ready;
    blocking++;
    try {
      return await this.#consumer.poll(1, blockMs);
    } finally {
      blocking--;
    }
  }

  /** Throws unless waiting helps. */
  async #explain(error: unknown): Promise<void> {
    const code = kafkaErrorCode(error);
    const { topic, brokers } = this.#inquiry;
    if (code === codes.offsetReset || code === codes.offsetOutOfRange) {
      const bounds = await this.#inquiry.bounds(this.partition).catch(() => undefined);
      const held = bounds && `${bounds.first} up to, not including, ${bounds.end}`;
      throw outOfRange(topic, this.partition, this.#next, held);
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
        const place = { topic, partition: this.partition, brokers, cause: error };
        const missing = codecMissing(loadRdkafka().features, place);
        if (missing !== undefined) throw missing;
      }
      const fault = kafkaToTopicError(error, 'reading', brokers);
      if (!fault.retryable) throw fault;
    }
    await pause(longestPauseMs, this.#closing.signal);
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
