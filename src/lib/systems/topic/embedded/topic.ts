/** The embedded topic: a durable, partitioned log in PostgreSQL, for one machine. */
import type pg from 'pg';
import { Bell } from '../../database/bell.ts';
import { underLock } from '../../database/lock-holder.ts';
import { sessionOf } from '../../database/session.ts';
import { checkPartitionCount, checkTopicName, partitionMissing, topicMissing } from '../limits.ts';
import type {
  GroupHandler,
  Growth,
  Membership,
  PartitionBounds,
  Producer,
  Reader,
  ReaderOptions,
  Topic,
} from '../topic.ts';
import { GroupStore } from './group-store.ts';
import { EmbeddedMembership } from './membership.ts';
import { channel, EmbeddedProducer } from './producer.ts';
import { EmbeddedReader } from './reader.ts';
import { committedOffset, GroupCommits, Retention } from './retention.ts';
import { asTopic } from './topic-error.ts';

export interface EmbeddedTopicOptions {
  /** Has an 'error' listener and outlives the topic. One more connection with its settings is opened for LISTEN. */
  pool: pg.Pool;
  name: string;
  /** Most bytes of keys and values that a partition keeps of what every group has read; 1 GiB unless told. */
  retentionBytes?: number;
  /** How long a partition keeps what every group has read, ms; 7 days unless told. */
  retentionMs?: number;
  /** While no group has read anything, retention takes everything for read; else such a topic keeps all. */
  expireUnread?: boolean;
  /** How long a reader waits at most before it looks again though nothing rang, ms; 1000 unless told. */
  pollMs?: number;
}

export interface EmbeddedTopic extends Topic {
  readonly kind: 'embedded';
  /** Deletes what retention allows, now. Returns how many records went. Otherwise it runs with the commits. */
  applyRetention(): Promise<number>;
}

/** Throws a TopicError: `bad_topic_name`, `schema_missing`, or what the database says (`database_unreachable`, …). */
export async function openEmbeddedTopic(options: EmbeddedTopicOptions): Promise<EmbeddedTopic> {
  checkTopicName(options.name);
  const topic = new PostgresTopic(options);
  await topic.partitions();
  return topic;
}

class PostgresTopic implements EmbeddedTopic {
  readonly kind = 'embedded';
  readonly name: string;
  readonly #pool: pg.Pool;
  readonly #bell: Bell;
  readonly #retention: Retention;
  readonly #pollMs: number;
  readonly #expireUnread: boolean;
  #closed: Promise<void> | undefined;

  constructor({
    pool,
    name,
    retentionBytes,
    retentionMs,
    expireUnread = false,
    pollMs,
  }: EmbeddedTopicOptions) {
    this.name = name;
    this.#pool = pool;
    this.#bell = new Bell(pool, channel);
    // A pooler lets nobody listen.
    this.#pollMs = pollMs ?? (sessionOf(pool)?.pooled === true ? 100 : 1_000);
    this.#retention = new Retention(pool, name, {
      bytes: retentionBytes ?? 1024 ** 3,
      ms: retentionMs ?? 7 * 24 * 3_600_000,
      expireUnread,
    });
    this.#expireUnread = expireUnread;
  }

  async create(partitions: number): Promise<{ created: boolean; partitions: number }> {
    checkPartitionCount(partitions);
    return this.#changingPartitions(async (there, add) => {
      if (there === 0) await add(partitions);
      return { created: there === 0, partitions: there || partitions };
    });
  }

  async grow(partitions: number): Promise<Growth> {
    checkPartitionCount(partitions);
    return this.#changingPartitions(async (before, add) => {
      if (before === 0) throw topicMissing(this.name);
      if (before < partitions) await add(partitions);
      return { before, partitions: Math.max(before, partitions) };
    });
  }

  async partitions(): Promise<number> {
    const { rows } = await asTopic(
      this.name,
      this.#pool.query<{ count: number }>('select count(*)::int as count from topic_heads where topic = $1', [
        this.name,
      ]),
    );
    return rows[0]?.count ?? 0;
  }

  async bounds(partition: number): Promise<PartitionBounds> {
    const { rows } = await asTopic(
      this.name,
      this.#pool.query<{ first_offset: string | number; next_offset: string | number }>(
        'select first_offset, next_offset from topic_heads where topic = $1 and partition = $2',
        [this.name, partition],
      ),
    );
    const [head] = rows;
    if (head === undefined) throw await this.#missing(partition);
    return { first: Number(head.first_offset), end: Number(head.next_offset) };
  }

  async ends(): Promise<number[]> {
    const { rows } = await asTopic(
      this.name,
      this.#pool.query<{ next_offset: string | number }>(
        'select next_offset from topic_heads where topic = $1 order by partition',
        [this.name],
      ),
    );
    return rows.map(({ next_offset: end }) => Number(end));
  }

  async offsetAt(partition: number, time: number): Promise<number> {
    const { end } = await this.bounds(partition);
    const { rows } = await asTopic(
      this.name,
      this.#pool.query<{ offset: string | number | null }>(
        `select min("offset") as offset from topic_records where topic = $1 and partition = $2 and timestamp_ms >= $3`,
        [this.name, partition, time],
      ),
    );
    return Number(rows[0]?.offset ?? end);
  }

  committed(group: string, partition: number): Promise<number | null> {
    return asTopic(this.name, committedOffset(this.#pool, this.name, group, partition));
  }

  async producer(): Promise<Producer> {
    const partitions = await this.partitions();
    if (partitions === 0) throw topicMissing(this.name);
    // Where nobody reads, nobody's commits would set it going.
    const onSent = () => this.#expireUnread && this.#retention.runOccasionally();
    return new EmbeddedProducer(this.#pool, this.name, partitions, onSent);
  }

  async reader(options: ReaderOptions): Promise<Reader> {
    await this.bounds(options.partition);
    const source = {
      pool: this.#pool,
      topic: this.name,
      bell: this.#bell,
      pollMs: this.#pollMs,
      commits: this.#commits(options.group),
    };
    return new EmbeddedReader(source, options);
  }

  async join(group: string, member: string, handler: GroupHandler): Promise<Membership> {
    if ((await this.partitions()) === 0) throw topicMissing(this.name);
    const store = new GroupStore(this.#pool, this.name, group, member);
    await store.register();
    return new EmbeddedMembership(store, this.#bell, handler, this.#commits(group));
  }

  applyRetention(): Promise<number> {
    return asTopic(this.name, this.#retention.run());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    await this.#retention.idle();
    await this.#bell[Symbol.asyncDispose]();
  }

  /** The second of two hosts waits here and then finds the first one's partitions; `add` adds those up to its count. */
  #changingPartitions<T>(
    change: (there: number, add: (count: number) => Promise<unknown>) => Promise<T>,
  ): Promise<T> {
    const changing = underLock(this.#pool, `visionscale topic ${this.name}`, async (client) => {
      const { rows } = await client.query<{ count: number }>(
        'select count(*)::int as count from topic_heads where topic = $1',
        [this.name],
      );
      const there = rows[0]?.count ?? 0;
      return change(there, (count) =>
        client.query(
          'insert into topic_heads (topic, partition) select $1, partition from generate_series($2::int, $3::int - 1) as partition',
          [this.name, there, count],
        ),
      );
    });
    return asTopic(this.name, changing);
  }

  #commits(group: string): GroupCommits {
    return new GroupCommits(this.#pool, this.name, group, this.#retention);
  }

  async #missing(partition: number) {
    const partitions = await this.partitions();
    return partitions === 0 ? topicMissing(this.name) : partitionMissing(this.name, partition, partitions);
  }
}
