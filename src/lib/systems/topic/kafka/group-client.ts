/** A consumer without an assignment, for what concerns a group or the whole topic: committed offsets, commits, bounds. */
import type { Metadata, TopicPartitionOffset, WatermarkOffsets, LibrdKafkaError } from 'node-rdkafka';
import { TopicError } from '../../../base/errors.ts';
import { pause } from '../../../base/flow/waiting.ts';
import type { Committer, PartitionBounds } from '../topic.ts';
import { askMs, call, type Surroundings, asError, Consumer } from './client.ts';
import { codes, isForbidden, kafkaErrorCode, kafkaToTopicError, type Place } from './kafka-error.ts';
import type { ClientProperties } from './properties.ts';

/** How long commits of other partitions are waited for, ms: nobody waits for one. */
const gatherMs = 5;

/** In Kafka's protocol the "time" of what comes next. */
const latest = -1;

export class GroupClient implements Committer, AsyncDisposable {
  readonly #consumer: Consumer;
  readonly #topic: string;
  readonly #place: Place;
  readonly #pending: PendingCommits;
  /** Offsets of commits that leave together, by their partitions. */
  readonly #gathered = new Map<number, number>();
  #gathering: NodeJS.Timeout | undefined;
  #pumping: Promise<void> | undefined;
  #denied: unknown = null;

  private constructor(consumer: Consumer, topic: string, place: Place, pending: PendingCommits) {
    this.#consumer = consumer;
    this.#topic = topic;
    this.#place = place;
    this.#pending = pending;
  }

  static async open(
    topic: string,
    properties: ClientProperties,
    surroundings: Surroundings,
  ): Promise<GroupClient> {
    const pending = new PendingCommits();
    const consumer = await Consumer.open(properties, surroundings, {
      offset_commit_cb: (error, offsets) => pending.settle(error, offsets),
    });
    const group = String(properties.global['group.id']);
    return new GroupClient(consumer, topic, { ...surroundings, topic, group }, pending);
  }

  /** The topic has no partitions where it does not exist. Asking does not create it. */
  async metadata(): Promise<Metadata> {
    return this.#ask('asking for the topic', (done) => {
      this.#consumer.kafka.getMetadata({ topic: this.#topic, allTopics: false, timeout: askMs }, done);
    });
  }

  async bounds(partition: number): Promise<PartitionBounds> {
    const { lowOffset, highOffset } = await this.#ask<WatermarkOffsets>('asking for offsets', (done) => {
      this.#consumer.kafka.queryWatermarkOffsets(this.#topic, partition, askMs, done);
    });
    return { first: lowOffset, end: highOffset };
  }

  /** Of partitions from 0 on; null of one whose leader is away. */
  async ends(count: number): Promise<(number | null)[]> {
    const all = Array.from({ length: count }, (_, partition) => ({
      topic: this.#topic,
      partition,
      offset: latest,
    }));
    const found = await this.#ask<(TopicPartitionOffset | Error)[]>('asking for offsets', (done) =>
      this.#consumer.kafka.offsetsForTimes(all, askMs, done),
    );
    const ends = new Map(found.flatMap((one) => (one instanceof Error ? [] : [[one.partition, one.offset]])));
    return all.map(({ partition }) => {
      const end = ends.get(partition) ?? -1;
      return end >= 0 ? end : null;
    });
  }

  async offsetAt(partition: number, time: number): Promise<number> {
    const [found] = await this.#ask<TopicPartitionOffset[]>('asking for offsets by time', (done) =>
      this.#consumer.kafka.offsetsForTimes([{ topic: this.#topic, partition, offset: time }], askMs, done),
    );
    // -1, or nothing: no record is as young.
    const offset = found?.offset ?? -1;
    return offset >= 0 ? offset : (await this.bounds(partition)).end;
  }

  async committed(partition: number): Promise<number | null> {
    const [found] = await this.#ask<TopicPartitionOffset[]>('asking for committed offsets', (done) =>
      this.#consumer.kafka.committed([{ topic: this.#topic, partition }], askMs, done),
    );
    return found?.offset ?? null;
  }

  async commit(partition: number, offset: number): Promise<void> {
    const committing = this.#pending.add(partition, offset);
    if (this.#gathered.has(partition)) this.#send();
    this.#gathered.set(partition, offset);
    this.#gathering ??= setTimeout(() => this.#send(), gatherMs);
    try {
      await committing;
    } catch (error) {
      throw kafkaToTopicError(error, 'committing an offset', this.#place);
    }
  }

  /** What was gathered, in one request. */
  #send(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    const offsets = [...this.#gathered].map(([partition, offset]) => ({
      topic: this.#topic,
      partition,
      offset,
    }));
    this.#gathered.clear();
    if (offsets.length === 0) return;
    try {
      this.#consumer.kafka.commit(offsets);
      this.#pumping ??= this.#pump();
    } catch (error) {
      this.#pending.settle(error as LibrdKafkaError, offsets);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#send();
    await this.#pumping;
    await this.#consumer[Symbol.asyncDispose]();
  }

  /** librdkafka answers commits only while it is polled. Nothing is assigned, so no message can come. */
  async #pump(): Promise<void> {
    const { signal } = new AbortController();
    for (let wait = 1; this.#pending.size > 0; wait = Math.min(wait * 2, 16)) {
      await this.#consumer.poll(1, 0).catch(() => undefined);
      if (this.#pending.size > 0) await pause(wait, signal);
    }
    this.#pumping = undefined;
  }

  /** Of a group that this user may not use, librdkafka tells who polls, once; who asks it something waits in vain. */
  async #denial(error: unknown): Promise<unknown> {
    if (kafkaErrorCode(error) !== codes.timedOut) return null;
    await this.#consumer.poll(1, 0).catch((said: unknown) => {
      if (isForbidden(said)) this.#denied = said;
    });
    return this.#denied;
  }

  /** Asks again while brokers tell each other who leads what, as they do for a moment after a topic was created. */
  async #ask<T>(doing: string, run: Parameters<typeof call<T>>[0]): Promise<T> {
    const giveUpAt = performance.now() + askMs;
    for (;;) {
      try {
        return await call(run);
      } catch (error) {
        if (!settling.includes(kafkaErrorCode(error)) || performance.now() > giveUpAt) {
          throw kafkaToTopicError((await this.#denial(error)) ?? error, doing, this.#place);
        }
        await pause(50, new AbortController().signal);
      }
    }
  }
}

/** Leader not available, not leader, coordinator loading, not available, not coordinator. */
const settling = [5, 6, 14, 15, 16];

/** Longest wait for an answer, ms: a broker may have to become the group's coordinator first. */
const answerMs = 15_000;

interface Waiting {
  partition: number;
  offset: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** Matches librdkafka's answers to asynchronous commits with those who wait for them. */
export class PendingCommits {
  #waiting: Waiting[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  /** Settles when the commit, which is to be sent next, is answered. Rejects with what the broker said. */
  add(partition: number, offset: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = { partition, offset, resolve, reject };
      this.#waiting.push(waiting);
      const giveUp = () => {
        this.#waiting = this.#waiting.filter((one) => one !== waiting);
        reject(
          new TopicError('Kafka did not answer a commit in time', {
            code: 'commit_timeout',
            retryable: true,
          }),
        );
      };
      const timer = setTimeout(giveUp, answerMs);
      waiting.resolve = () => {
        clearTimeout(timer);
        resolve();
      };
      waiting.reject = (error: Error) => {
        clearTimeout(timer);
        reject(error);
      };
    });
  }

  /** To be called from offset_commit_cb. The broker answers in order, so the first that fits is meant. */
  settle(error: LibrdKafkaError | undefined, offsets: readonly TopicPartitionOffset[]): void {
    for (const { partition, offset } of offsets) {
      const at = this.#waiting.findIndex((one) => one.partition === partition && one.offset === offset);
      const [found] = at < 0 ? [] : this.#waiting.splice(at, 1);
      if (error) found?.reject(asError(error));
      else found?.resolve();
    }
  }

  rejectAll(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
