/** librdkafka's properties for each kind of client: the user's win, except where a guarantee depends on ours. */
import type { ProducerOptions } from '../topic.ts';

export type Properties = Record<string, string | number | boolean>;

export interface ClientProperties {
  global: Properties;
  /** librdkafka's topic-level properties, which node-rdkafka takes apart from the others. */
  topic: Properties;
}

export interface KafkaConnection {
  brokers: string;
  properties: Record<string, string>;
  clientId: string;
}

/** Topic-level: among the global ones node-rdkafka would silently drop them. */
const topicLevel = new Set([
  'acks',
  'request.required.acks',
  'request.timeout.ms',
  'message.timeout.ms',
  'delivery.timeout.ms',
  'partitioner',
  'queuing.strategy',
  'compression.level',
  'auto.offset.reset',
]);

/** Other names of what is set here: librdkafka would let the later one win. */
const synonyms = new Set([
  'bootstrap.servers',
  'metadata.broker.list',
  'request.required.acks',
  'auto.commit.enable',
]);

/** All brokers, all clients. A broker that comes back, and a partition that is added, are found within seconds. */
const common: Properties = {
  'socket.keepalive.enable': true,
  'reconnect.backoff.max.ms': 2_000,
  'topic.metadata.refresh.interval.ms': 5_000,
};

export function producerProperties(
  connection: KafkaConnection,
  { timeoutMs = 120_000, bulk = false }: ProducerOptions = {},
): ClientProperties {
  return merge(
    connection,
    {
      'linger.ms': bulk ? 2 : 0,
      'sticky.partitioning.linger.ms': 0, // records without a key are spread one by one
      'message.max.bytes': 1_048_576,
      'message.timeout.ms': timeoutMs,
      'compression.type': 'none', // images are compressed already
    },
    { 'enable.idempotence': true, acks: 'all', partitioner: 'murmur2_random' },
  );
}

/** For questions and commits: never reads, never creates a topic by asking for it. */
export function queryProperties(connection: KafkaConnection, group: string): ClientProperties {
  return merge(connection, {}, { ...consumer(group), 'auto.offset.reset': 'error' });
}

/** How far is read ahead. */
export interface Prefetch {
  records: number;
  bytes: number;
}

/** Most bytes of one partition, and of all, in an answer of a broker; one batch that is larger comes alone. */
const fetchBytes = { partition: 262_144, all: 1_048_576 };
/** A short queue in librdkafka would run dry between two polls. */
const queuedPrefetches = 16;

/**
 * For partitions read from fixed offsets. librdkafka asks the brokers for more while it has less than `bytes` (and, from
 * 2.2 on, fewer than some prefetches of records) ready, of all partitions together.
 */
export function readerProperties(
  connection: KafkaConnection,
  group: string,
  prefetch: Prefetch,
  librdkafkaVersion: string,
): ClientProperties {
  const kilobytes = Math.max(1, Math.floor(prefetch.bytes / 1024));
  // With enough ready librdkafka sleeps 1 s, in which a small queue would run dry; before 2.2 that cannot be changed.
  const mayBeSmall = atLeast(librdkafkaVersion, 2, 2);
  return merge(
    connection,
    {
      'fetch.message.max.bytes': Math.min(fetchBytes.partition, kilobytes * 1024),
      'fetch.max.bytes': fetchBytes.all,
      ...(mayBeSmall && { 'fetch.queue.backoff.ms': 10 }),
    },
    {
      ...consumer(group),
      'enable.partition.eof': true,
      'auto.offset.reset': 'error',
      'queued.max.messages.kbytes': kilobytes,
      ...(mayBeSmall && { 'queued.min.messages': queuedPrefetches * prefetch.records }),
    },
  );
}

function atLeast(version: string, major: number, minor: number): boolean {
  const [itsMajor = 0, itsMinor = 0] = version.split('.').map(Number);
  return itsMajor > major || (itsMajor === major && itsMinor >= minor);
}

/** For a member of a group that only learns what is assigned to it; readers of their own do the reading. */
export function memberProperties(connection: KafkaConnection, group: string): ClientProperties {
  const { debug } = connection.properties;
  // In the protocol of Kafka 4 the brokers set these; librdkafka refuses them there, and hands out step by step anyway.
  const isBrokers = connection.properties['group.protocol']?.toLowerCase() === 'consumer';
  return merge(connection, isBrokers ? {} : { 'session.timeout.ms': 6_000, 'heartbeat.interval.ms': 1_000 }, {
    ...consumer(group),
    ...(!isBrokers && { 'partition.assignment.strategy': 'cooperative-sticky' }),
    'auto.offset.reset': 'latest',
    // node-rdkafka does not tell whether an assignment was lost; librdkafka's log does, under this heading.
    debug: debug === undefined ? 'consumer' : `${debug},consumer`,
  });
}

function consumer(group: string): Properties {
  return {
    'group.id': group,
    'enable.auto.commit': false,
    'enable.auto.offset.store': false,
    'enable.partition.eof': false,
    'allow.auto.create.topics': false,
  };
}

function merge(
  { brokers, properties, clientId }: KafkaConnection,
  ours: Properties,
  fixed: Properties,
): ClientProperties {
  const users = Object.fromEntries(Object.entries(properties).filter(([name]) => !synonyms.has(name)));
  const all: Properties = {
    'client.id': clientId,
    ...common,
    ...without(ours, users),
    ...users,
    ...fixed,
    'metadata.broker.list': brokers,
  };
  const entries = Object.entries(all);
  return {
    global: Object.fromEntries(entries.filter(([name]) => !topicLevel.has(name))),
    topic: Object.fromEntries(entries.filter(([name]) => topicLevel.has(name))),
  };
}

/** Our defaults less those that the user has set under another name. */
function without(ours: Properties, users: Record<string, string>): Properties {
  const aliases: [string, string][] = [
    ['linger.ms', 'queue.buffering.max.ms'],
    ['message.timeout.ms', 'delivery.timeout.ms'],
    ['compression.type', 'compression.codec'],
    ['fetch.message.max.bytes', 'max.partition.fetch.bytes'],
  ];
  const set = aliases.filter(([, alias]) => alias in users).map(([name]) => name);
  return Object.fromEntries(Object.entries(ours).filter(([name]) => !set.includes(name)));
}
