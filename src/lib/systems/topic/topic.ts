/** The topic: what visionscale needs of Kafka, in its own words. Implemented by `kafka/` and `embedded/`. */
import type { OutgoingRecord, TopicRecord } from '../message/record.ts';

export interface Placement {
  partition: number;
  offset: number;
}

/** For Kafka, where a record may be long under way; in milliseconds. */
export interface ProducerOptions {
  /** Not acknowledged within so long, a record is given up as not sent; two minutes unless told. */
  timeoutMs?: number;
  /** How long closing waits for what is under way; ten seconds unless told. */
  flushMs?: number;
  /** Many records are sent at once: fuller batches are worth 2 ms. Default: what is sent leaves at once. */
  bulk?: boolean;
}

/** Sends records, keyed as Kafka's default partitioner does (murmur2 of the key; no key: spread). */
export interface Producer extends AsyncDisposable {
  /**
   * Sends a batch and waits until every record of it is durably in the topic; placements in input order.
   * Memory is bounded by the caller's batch. Rejects with a RefusedError (`message_too_large`, `message_refused`) that
   * names records which the topic will never take, while all others are in it, or with a TopicError, after which part of
   * the batch may be in the topic.
   */
  send(records: readonly OutgoingRecord[]): Promise<Placement[]>;
}

/**
 * Remembers, for the outside (lag tools, autoscalers), how far a group has come. Members of a group commit through their
 * Membership: Kafka refuses a reader's commit while the group has members.
 */
export interface Committer {
  /** `offset` is the next one to read. Fire and await; failures reject with a TopicError. */
  commit(partition: number, offset: number): Promise<void>;
}

/** One partition, read in order from a fixed place. */
export interface Reader extends Committer, AsyncDisposable {
  readonly partition: number;
  /**
   * Everything before this offset was handed out or will never come: a log holds offsets without a record of its own
   * (transaction markers, compaction). Null while that is not known, or where every offset has its record.
   */
  readonly caughtUpTo: number | null;
  /**
   * Records in offset order, for ever, until `signal` aborts (then it ends without an error, promptly even while
   * idle). Never holds more than the prefetch bounds beyond what was pulled. Throws a TopicError when the
   * topic is gone or the position is out of range (`offset_out_of_range`); a broker that is away is waited for.
   */
  records(signal: AbortSignal): AsyncIterable<TopicRecord>;
}

export interface ReaderOptions {
  partition: number;
  /** The first offset to read. */
  from: number;
  /** The consumer group under which `commit` is kept. */
  group: string;
  /** Most records held ahead of the puller; default 64. */
  prefetchRecords?: number;
  /**
   * Most bytes held ahead of the puller; default 16 MiB. Soft for one large record, and in Kafka for one answer of the
   * broker: 1 MiB, or one larger batch. librdkafka itself counts bytes, not records.
   */
  prefetchBytes?: number;
}

/** What a member of a group is told. Each call is awaited before the group goes on. */
export interface GroupHandler {
  /** These partitions are ours now. */
  assigned(partitions: number[]): Promise<void>;
  /** Finish and release these. `lost`: they may already be somebody else's, so do not record for them. */
  revoked(partitions: number[], lost: boolean): Promise<void>;
}

/** Membership of a group that shares all partitions. Disposing leaves: everything is revoked first. */
export interface Membership extends Committer, AsyncDisposable {
  /** Rejects when the membership has failed for good; otherwise settles when it is left. */
  readonly ended: Promise<void>;
}

export interface PartitionBounds {
  /** The first offset that is still there. */
  first: number;
  /** One past the last record; equal to `first` where there is none. */
  end: number;
}

/** How many partitions a topic had, and has now. */
export interface Growth {
  before: number;
  partitions: number;
}

export interface Topic extends AsyncDisposable {
  readonly kind: 'kafka' | 'embedded';
  readonly name: string;
  /** Creates the topic where it is missing; says how many partitions it has either way. Safe from two hosts at once. */
  create(partitions: number): Promise<{ created: boolean; partitions: number }>;
  /**
   * Adds partitions until there are so many; never takes any away. Whoever sends uses them within seconds. Throws
   * `topic_missing`. Safe from two hosts at once.
   */
  grow(partitions: number): Promise<Growth>;
  /** How many partitions there are; 0 where the topic does not exist. Never creates it. */
  partitions(): Promise<number>;
  bounds(partition: number): Promise<PartitionBounds>;
  /** One past the last record of every partition, in one question of each broker; null of one that cannot be asked. */
  ends(): Promise<(number | null)[]>;
  /** The first offset whose record was written at this time (milliseconds since the epoch) or later; the end where there is none. */
  offsetAt(partition: number, time: number): Promise<number>;
  /** The committed offset of a group, null where it has none. */
  committed(group: string, partition: number): Promise<number | null>;
  producer(options?: ProducerOptions): Promise<Producer>;
  reader(options: ReaderOptions): Promise<Reader>;
  /** Joins a group. `member` names this process uniquely (host:pid). */
  join(group: string, member: string, handler: GroupHandler): Promise<Membership>;
}
