/** Membership of a Kafka consumer group that only learns what is assigned: readers with fixed offsets do the reading. */
import type { KafkaConsumer, LibrdKafkaError, TopicPartition } from 'node-rdkafka';
import { errorMessage, TopicError } from '../../../base/errors.ts';
import { pause } from '../../../base/flow/waiting.ts';
import type { GroupHandler, Membership } from '../topic.ts';
import { type Surroundings, Consumer } from './client.ts';
import { PendingCommits } from './group-client.ts';
import { codes, kafkaErrorCode, kafkaToTopicError, type Place } from './kafka-error.ts';
import type { ClientProperties } from './properties.ts';

/** How often librdkafka is asked for rebalances, ms; and while a commit is under way. */
const pollMs = 100;
const commitPollMs = 5;
/** Longest wait on leaving for the group to take everything back, ms. */
const leaveMs = 5_000;
/** RdKafka::Topic::OFFSET_END: nothing is read, so nothing needs looking up. */
const offsetEnd = -1;

export class KafkaMembership implements Membership {
  readonly ended: Promise<void>;
  readonly #topic: string;
  readonly #handler: GroupHandler;
  readonly #surroundings: Surroundings;
  readonly #place: Place;
  readonly #pending = new PendingCommits();
  readonly #closing = new AbortController();
  readonly #left = new AbortController();
  readonly #held = new Set<number>();
  /** Rebalances, one after the other. */
  #rebalances: Promise<void> = Promise.resolve();
  /** True from when librdkafka knows that the assignment is not ours any more. */
  #lost = false;
  #fault: Error | undefined;
  #commitSoon = new AbortController();
  #consumer: Consumer | undefined;

  private constructor(
    topic: string,
    handler: GroupHandler,
    surroundings: Surroundings,
    group: string,
    open: Promise<Consumer>,
  ) {
    this.#topic = topic;
    this.#handler = handler;
    this.#surroundings = surroundings;
    this.#place = { ...surroundings, topic, group };
    this.ended = open.then((consumer) => this.#stay(consumer));
    this.ended.catch(() => undefined); // whoever wants to know awaits it
  }

  static async join(
    topic: string,
    handler: GroupHandler,
    properties: ClientProperties,
    surroundings: Surroundings,
  ): Promise<KafkaMembership> {
    let resolve: (consumer: Consumer) => void = () => undefined;
    const membership = new KafkaMembership(
      topic,
      handler,
      surroundings,
      String(properties.global['group.id']),
      new Promise((done) => (resolve = done)),
    );
    const callbacks = {
      rebalance_cb: (error: LibrdKafkaError | undefined, partitions: TopicPartition[]) =>
        membership.#rebalance(error, partitions),
      offset_commit_cb: membership.#pending.settle.bind(membership.#pending),
    };
    const consumer = await Consumer.open(properties, surroundings, callbacks, (kafka) =>
      membership.#watch(kafka),
    );
    membership.#consumer = consumer;
    consumer.kafka.subscribe([topic]);
    resolve(consumer);
    return membership;
  }

  async commit(partition: number, offset: number): Promise<void> {
    const committing = this.#pending.add(partition, offset);
    committing.catch(() => undefined); // awaited below, but perhaps not if commit() throws
    try {
      this.#consumer?.kafka.commit({ topic: this.#topic, partition, offset });
      this.#commitSoon.abort();
      await committing;
    } catch (error) {
      throw kafkaToTopicError(error, 'committing an offset', this.#place);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    return this.ended.catch(() => undefined);
  }

  /** Polls until left or failed, then gives everything back. */
  async #stay(consumer: Consumer): Promise<void> {
    const polling = this.#poll(consumer);
    await new Promise<void>((resolve) => {
      if (this.#closing.signal.aborted) resolve();
      else this.#closing.signal.addEventListener('abort', () => resolve());
    });
    try {
      consumer.kafka.unsubscribe();
      await this.#rebalances;
      await pause(this.#held.size === 0 ? 0 : leaveMs, this.#left.signal);
      await this.#rebalances;
      if (this.#held.size > 0) await this.#giveUp([...this.#held]);
    } catch (error) {
      this.#fault ??= error as Error;
    }
    this.#left.abort();
    await polling;
    this.#pending.rejectAll(new TopicError('the group was left', { code: 'group_left', retryable: true }));
    await consumer[Symbol.asyncDispose]();
    if (this.#fault) throw this.#fault;
  }

  async #poll(consumer: Consumer): Promise<void> {
    while (!this.#left.signal.aborted) {
      try {
        await consumer.poll(1, 0);
      } catch (error) {
        const fault = kafkaToTopicError(error, 'belonging to the group', this.#place);
        if (!fault.retryable || kafkaErrorCode(error) === codes.fatal) this.#fail(fault);
        else this.#surroundings.notice(fault.message);
      }
      this.#commitSoon = new AbortController();
      if (this.#pending.size > 0) await pause(commitPollMs, this.#left.signal);
      else await pause(pollMs, AbortSignal.any([this.#left.signal, this.#commitSoon.signal]));
    }
  }

  #rebalance(error: LibrdKafkaError | undefined, partitions: TopicPartition[]): void {
    this.#rebalances = this.#rebalances
      .then(async () => {
        if (error?.code === codes.assign) await this.#assign(partitions);
        else await this.#revoke(partitions);
      })
      .catch((fault: unknown) => this.#fail(fault));
  }

  /** The handler has its leases before the group may see the partitions as taken. */
  async #assign(assignment: TopicPartition[]): Promise<void> {
    const partitions = assignment.map(({ partition }) => partition);
    try {
      if (partitions.length > 0 && !this.#closing.signal.aborted) {
        for (const partition of partitions) this.#held.add(partition);
        await this.#handler.assigned(partitions);
      }
    } finally {
      // Even where the handler failed: without its answer librdkafka would not leave the group.
      this.#consumer?.kafka.incrementalAssign(
        assignment.map(({ topic, partition }) => ({ topic, partition, offset: offsetEnd })),
      );
      this.#consumer?.kafka.pause(assignment);
    }
  }

  /** The handler has drained and released before the group may give the partitions to another. */
  async #revoke(assignment: TopicPartition[]): Promise<void> {
    // The log line that says "lost" comes by another way: let it in first.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      await this.#giveUp(assignment.map(({ partition }) => partition).filter((one) => this.#held.has(one)));
    } finally {
      this.#consumer?.kafka.incrementalUnassign(assignment);
      if (this.#closing.signal.aborted && this.#held.size === 0) this.#left.abort();
    }
  }

  async #giveUp(partitions: number[]): Promise<void> {
    for (const partition of partitions) this.#held.delete(partition);
    if (partitions.length > 0) await this.#handler.revoked(partitions, this.#lost);
  }

  #fail(error: unknown): void {
    this.#fault ??= error instanceof Error ? error : new Error(errorMessage(error));
    this.#closing.abort();
  }

  #watch(kafka: KafkaConsumer): void {
    kafka.on('event.log', ({ fac, message }: { fac: string; message: string }) => {
      if (fac === 'LOST') this.#lost = !message.includes('no longer considered lost');
    });
  }
}
