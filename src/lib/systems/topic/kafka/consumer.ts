/** A node-rdkafka consumer that is polled, one poll at a time, and closed once, never during a poll. */
import type {
  ConsumerTopicConfig,
  KafkaConsumer,
  LibrdKafkaError,
  Message,
  TopicPartition,
  TopicPartitionOffset,
} from 'node-rdkafka';
import { call, connect, construct, hush } from './client.ts';
import type { Surroundings } from './client.ts';
import { loadRdkafka } from './load.ts';
import type { ClientProperties } from './properties.ts';

export interface ConsumerCallbacks {
  rebalance_cb?: (error: LibrdKafkaError | undefined, partitions: TopicPartition[]) => void;
  offset_commit_cb?: (error: LibrdKafkaError | undefined, offsets: TopicPartitionOffset[]) => void;
}

export class Consumer implements AsyncDisposable {
  readonly kafka: KafkaConsumer;
  #polls: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  private constructor(kafka: KafkaConsumer) {
    this.kafka = kafka;
  }

  /** Throws a TopicError: `bad_kafka_property`, `broker_unavailable`, or why the brokers refuse this client. */
  static async open(
    { global, topic }: ClientProperties,
    surroundings: Surroundings,
    callbacks: ConsumerCallbacks = {},
    prepare?: (kafka: KafkaConsumer) => void,
  ): Promise<Consumer> {
    const { KafkaConsumer } = loadRdkafka();
    const kafka = construct(
      () => new KafkaConsumer({ ...global, ...callbacks }, topic as ConsumerTopicConfig),
    );
    prepare?.(kafka);
    await connect(kafka, surroundings);
    return new Consumer(kafka);
  }

  /**
   * Up to `most` messages: waits up to `waitMs` for each (node-rdkafka's way: 0 takes what is ready). The wait blocks
   * a thread of libuv's pool. Rejects with a LibrdKafkaError.
   */
  poll(most: number, waitMs: number): Promise<Message[]> {
    const poll = this.#polls.then(() => {
      if (this.#closed) return [];
      this.kafka.setDefaultConsumeTimeout(waitMs);
      return call<Message[]>((done) => this.kafka.consume(most, done));
    });
    this.#polls = poll.catch(() => undefined);
    return poll;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    hush(this.kafka);
    await this.#polls;
    await new Promise<void>((resolve) => this.kafka.disconnect(() => resolve()));
  }
}
