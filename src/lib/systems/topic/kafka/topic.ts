/** A topic in Kafka, by way of librdkafka. */
import type { IAdminClient, LibrdKafkaError, Metadata } from 'node-rdkafka';
import { TopicError } from '../../../base/errors.ts';
import { pause } from '../../../base/flow/waiting.ts';
import { type AwsLogin, mskToken, type Token } from '../../aws-login.ts';
import { checkPartitionCount, checkTopicName, partitionMissing, topicMissing } from '../limits.ts';
import type {
  Committer,
  GroupHandler,
  Growth,
  Membership,
  PartitionBounds,
  Producer,
  ProducerOptions,
  Reader,
  ReaderOptions,
  Topic,
} from '../topic.ts';
import { askMs, call, construct, Consumer, Notices, type Surroundings } from './client.ts';
import { GroupClient } from './group-client.ts';
import { codes, kafkaErrorCode, kafkaToTopicError } from './kafka-error.ts';
import { loadRdkafka } from './load.ts';
import { KafkaMembership } from './membership.ts';
import { KafkaProducer } from './producer.ts';
import {
  type ClientProperties,
  type KafkaConnection,
  memberProperties,
  type Prefetch,
  producerProperties,
  queryProperties,
  readerProperties,
} from './properties.ts';
import { KafkaReader } from './reader.ts';
import { SharedReading } from './shared-reading.ts';

export interface KafkaTopicOptions {
  /** `host:port[,host:port]` */
  brokers: string;
  name: string;
  /** Any of librdkafka's properties; they win over ours, except where a guarantee depends on ours. */
  properties: Record<string, string>;
  /** Seen in the brokers' logs; `visionscale` unless told. */
  clientId?: string;
  /** Tokens for MSK that AWS credentials sign; or whatever else gives them. */
  awsIam?: AwsLogin | undefined;
  token?: (() => Promise<Token>) | undefined;
  /** Told what no result depends on: that all brokers are down, say. */
  onNotice?: (text: string) => void;
}

/**
 * Throws a TopicError: `bad_topic_name`, `node_rdkafka_missing`, `bad_kafka_property`, `broker_unavailable`
 * (retryable), `kafka_login_failed`, `kafka_tls`. What it opened is to be disposed before it.
 */
export async function openKafkaTopic(options: KafkaTopicOptions): Promise<Topic> {
  checkTopicName(options.name);
  const topic = new KafkaTopic(options);
  await topic.partitions();
  return topic;
}

/** How long the topic is taken to exist after it did, ms. */
const knownMs = 1000;

/** Unless the user says otherwise. */
const tokenLogin = { 'security.protocol': 'sasl_ssl', 'sasl.mechanism': 'OAUTHBEARER' };

function reach({
  brokers,
  clientId = 'visionscale',
  onNotice,
  awsIam,
  ...options
}: Omit<KafkaTopicOptions, 'name'>): { connection: KafkaConnection; surroundings: Surroundings } {
  const token = options.token ?? (awsIam && (() => mskToken(brokers, awsIam)));
  const properties = { ...(token && tokenLogin), ...options.properties };
  return {
    connection: { brokers, properties, clientId },
    surroundings: { brokers, properties, token, notice: new Notices(onNotice).give },
  };
}

class KafkaTopic implements Topic {
  readonly kind = 'kafka';
  readonly name: string;
  readonly #connection: KafkaConnection;
  readonly #surroundings: Surroundings;
  /** One client without an assignment for each group asked for. */
  readonly #groups = new Map<string, Promise<GroupClient>>();
  /** Clients that read, by the bounds of their readers; a second one of a kind where a partition is read twice. */
  readonly #readings = new Map<string, SharedReading[]>();
  #known = { count: 0, until: 0 };
  #closed: Promise<void> | undefined;

  constructor({ name, ...options }: KafkaTopicOptions) {
    this.name = name;
    ({ connection: this.#connection, surroundings: this.#surroundings } = reach(options));
  }

  async create(partitions: number): Promise<{ created: boolean; partitions: number }> {
    checkPartitionCount(partitions);
    const there = await this.partitions();
    if (there > 0) return { created: false, partitions: there };
    return createTopic(await this.#change(partitions));
  }

  async grow(partitions: number): Promise<Growth> {
    checkPartitionCount(partitions);
    const before = await this.partitions();
    if (before === 0) throw topicMissing(this.name);
    if (before >= partitions) return { before, partitions: before };
    return { before, partitions: await growTopic(await this.#change(partitions)) };
  }

  async partitions(): Promise<number> {
    const query = await this.#query();
    return partitionCount(await query.metadata(), this.name);
  }

  async bounds(partition: number): Promise<PartitionBounds> {
    await this.#require(partition);
    return (await this.#query()).bounds(partition);
  }

  async ends(): Promise<(number | null)[]> {
    const count = await this.partitions();
    return count === 0 ? [] : (await this.#query()).ends(count);
  }

  async offsetAt(partition: number, time: number): Promise<number> {
    await this.#require(partition);
    return (await this.#query()).offsetAt(partition, time);
  }

  async committed(group: string, partition: number): Promise<number | null> {
    return (await this.#group(group)).committed(partition);
  }

  async producer(options: ProducerOptions = {}): Promise<Producer> {
    if ((await this.partitions()) === 0) throw topicMissing(this.name);
    const properties = producerProperties(this.#connection, options);
    return KafkaProducer.open(this.name, properties, this.#surroundings, options.flushMs);
  }

  async reader(options: ReaderOptions): Promise<Reader> {
    await this.#require(options.partition);
    // Half is for librdkafka, half for what has been taken from it.
    const prefetch = {
      records: Math.ceil((options.prefetchRecords ?? 64) / 2),
      bytes: (options.prefetchBytes ?? 16 * 1024 * 1024) / 2,
    };
    const inquiry = {
      topic: this.name,
      place: { ...this.#connection, topic: this.name, group: options.group },
      partitions: () => this.partitions(),
      bounds: (partition: number) => this.bounds(partition),
    };
    const commits: Committer = {
      commit: async (partition, offset) => (await this.#group(options.group)).commit(partition, offset),
    };
    const reading = this.#reading(options.partition, prefetch);
    return new KafkaReader(reading, await reading.sit(options.partition, options.from), inquiry, commits);
  }

  /** One that reads with these bounds and not yet this partition. */
  #reading(partition: number, prefetch: Prefetch): SharedReading {
    const key = `${prefetch.records} ${prefetch.bytes}`;
    const there = (this.#readings.get(key) ?? []).filter(({ isOver }) => !isOver);
    const free = there.find((reading) => !reading.isTaken(partition));
    if (free !== undefined) return free;
    // Of the group nothing is asked: commits have a client of their own.
    const version = loadRdkafka().librdkafkaVersion;
    const properties = readerProperties(this.#connection, 'visionscale', prefetch, version);
    const reading = new SharedReading(this.name, prefetch, () =>
      Consumer.open(properties, this.#surroundings),
    );
    this.#readings.set(key, [...there, reading]);
    return reading;
  }

  async join(group: string, member: string, handler: GroupHandler): Promise<Membership> {
    if ((await this.partitions()) === 0) throw topicMissing(this.name);
    const properties = memberProperties({ ...this.#connection, clientId: member }, group);
    return KafkaMembership.join(this.name, handler, properties, this.#surroundings);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    const opened = await Promise.allSettled(this.#groups.values());
    for (const result of opened) if (result.status === 'fulfilled') await result.value[Symbol.asyncDispose]();
  }

  /** For questions that concern no group: librdkafka wants one named all the same. */
  #query(): Promise<GroupClient> {
    return this.#group('visionscale');
  }

  #group(group: string): Promise<GroupClient> {
    let client = this.#groups.get(group);
    if (client === undefined) {
      const properties = queryProperties(this.#connection, group);
      client = GroupClient.open(this.name, properties, this.#surroundings);
      this.#groups.set(group, client);
      client.catch(() => this.#groups.delete(group)); // the next call tries again
    }
    return client;
  }

  async #change(partitions: number): Promise<Change> {
    return {
      topic: this.name,
      partitions,
      properties: producerProperties(this.#connection),
      surroundings: this.#surroundings,
      query: await this.#query(),
    };
  }

  async #require(partition: number): Promise<void> {
    const isKnown = () => Number.isInteger(partition) && partition >= 0 && partition < this.#known.count;
    // Whoever has many asks often, and none is ever taken away.
    if (isKnown() && performance.now() < this.#known.until) return;
    const count = await this.partitions();
    this.#known = { count, until: performance.now() + knownMs };
    if (count === 0) throw topicMissing(this.name);
    if (!isKnown()) throw partitionMissing(this.name, partition, count);
  }
}

// Creates a Kafka topic, or adds partitions to one; safe from two hosts at once.

/** Longest wait until every broker knows what was created, ms. */
const spreadMs = 15_000;

interface Change {
  topic: string;
  partitions: number;
  properties: ClientProperties;
  surroundings: Surroundings;
  query: GroupClient;
}

/** 0 where the topic does not exist. */
function partitionCount(metadata: Metadata, topic: string): number {
  return metadata.topics.find(({ name }) => name === topic)?.partitions.length ?? 0;
}

/** As `partitionCount`, but 0 too while a partition has no leader. */
function readyPartitions(metadata: Metadata, topic: string): number {
  const partitions = metadata.topics.find(({ name }) => name === topic)?.partitions ?? [];
  return partitions.some(({ leader }) => leader < 0) ? 0 : partitions.length;
}

/** Says whether it was this call that created the topic. Settles when all its partitions have leaders. */
async function createTopic(change: Change): Promise<{ created: boolean; partitions: number }> {
  const { topic, query, surroundings } = change;
  const before = await query.metadata();
  const existing = readyPartitions(before, topic);
  if (existing > 0) return { created: false, partitions: existing };
  const { brokers } = before;
  // Three copies survive the loss of a broker; where the cluster does not allow that number it may choose its own.
  let outcome = await askForTopic(change, Math.min(3, brokers.length));
  if (outcome === codes.invalidReplicationFactor || outcome === codes.policyViolation) {
    outcome = await askForTopic(change, -1);
  }
  // After a timeout the topic may still appear.
  if (outcome !== 0 && outcome !== codes.topicExists && outcome !== codes.timedOut) {
    const fault = { code: outcome, message: describe(outcome) };
    throw kafkaToTopicError(fault, `creating the topic ${topic}`, { ...surroundings, topic });
  }
  return { created: outcome === 0, partitions: await ready(change, 1) };
}

/** How many partitions there are then. */
async function growTopic(change: Change): Promise<number> {
  const { topic, partitions, surroundings } = change;
  const outcome = await ask(change, (admin, done) => admin.createPartitions(topic, partitions, askMs, done));
  // Another host may have added them meanwhile, and after a timeout they may still appear.
  const isDone = outcome === 0 || outcome === codes.timedOut;
  if (!isDone && partitionCount(await change.query.metadata(), topic) < partitions) {
    const fault = { code: outcome, message: describe(outcome) };
    throw kafkaToTopicError(fault, `adding partitions to the topic ${topic}`, { ...surroundings, topic });
  }
  return ready(change, partitions);
}

/** How many partitions there are, once there are `least` and each has a leader. */
async function ready({ topic, query, surroundings }: Change, least: number): Promise<number> {
  const giveUpAt = performance.now() + spreadMs;
  for (;;) {
    const partitions = readyPartitions(await query.metadata(), topic);
    if (partitions >= least) return partitions;
    if (performance.now() > giveUpAt) {
      throw new TopicError(
        `Kafka at ${surroundings.brokers}: the topic ${topic} was requested, but is not ready`,
        {
          code: 'broker_unavailable',
          retryable: true,
        },
      );
    }
    await pause(50, new AbortController().signal);
  }
}

function askForTopic(change: Change, replicas: number): Promise<number> {
  const wanted = { topic: change.topic, num_partitions: change.partitions, replication_factor: replicas };
  return ask(change, (admin, done) => admin.createTopic(wanted, askMs, done));
}

/** Deletes topics with all that is in them: for what was made to be thrown away. Returns those that may still be there. */
export async function removeKafkaTopics(
  options: Omit<KafkaTopicOptions, 'name'>,
  names: readonly string[],
): Promise<string[]> {
  const { connection, surroundings } = reach(options);
  const properties = producerProperties(connection);
  const left: string[] = [];
  for (const name of names) {
    const outcome = await ask({ properties, surroundings }, (admin, done) =>
      admin.deleteTopic(name, askMs, done),
    );
    if (outcome !== 0 && outcome !== codes.unknownTopicOrPartition) left.push(name);
  }
  return left;
}

/** librdkafka's number of what came of it; 0 where it was done. */
async function ask(
  { properties, surroundings }: Pick<Change, 'properties' | 'surroundings'>,
  run: (admin: IAdminClient, done: (error: LibrdKafkaError | undefined) => void) => void,
): Promise<number> {
  const { AdminClient } = loadRdkafka();
  const token = await surroundings.token?.();
  const admin = construct(() => AdminClient.create(properties.global, token?.value));
  try {
    await call<void>((done) => run(admin, (error) => done(error, undefined)));
    return 0;
  } catch (error) {
    return kafkaErrorCode(error);
  } finally {
    admin.disconnect();
  }
}

function describe(number: number): string {
  const known = Object.entries(loadRdkafka().CODES.ERRORS).find(([, value]) => value === number);
  return known?.[0] ?? `error ${number}`;
}
