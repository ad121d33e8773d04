/** Deletes old records, but never one that a known group has not read: its committed offsets say so. */
import type pg from 'pg';
import { withTransaction } from '../../database/transaction.ts';
import type { Committer } from '../topic.ts';
import { asTopic } from './topic-error.ts';

export interface RetentionSettings {
  /** Most bytes a partition keeps of what has been read. */
  bytes: number;
  /** How long a partition keeps what has been read, ms. */
  ms: number;
  /** While no group is known, everything counts as read. */
  expireUnread: boolean;
}

const intervalMs = 60_000;
/** Records deleted by one transaction, which holds up appenders. */
const step = 5_000;

/**
 * The first offset to keep, looking at the oldest records below what every group of the topic has committed; a group
 * that has committed nothing here has everything before it. $3: floor, $4: ms, $5: bytes over the limit.
 */
const doomed = `
with oldest as (
  select "offset", timestamp_ms, octet_length(value) + coalesce(octet_length(key), 0) as size
  from topic_records where topic = $1 and partition = $2 and "offset" < $3 order by "offset" limit ${step}
), summed as (
  select "offset", size, timestamp_ms < floor(extract(epoch from now()) * 1000) - $4::bigint
    or sum(size) over (order by "offset") - size < $5::bigint as expired
  from oldest
), cut as (
  select coalesce((select min("offset") from summed where not expired), (select max("offset") + 1 from summed)) as keep
), deleted as (
  delete from topic_records using cut where topic = $1 and partition = $2 and "offset" < cut.keep
  returning octet_length(value) + coalesce(octet_length(key), 0) as size
)
select (select keep from cut) as keep, count(*) as records, coalesce(sum(size), 0) as bytes from deleted`;

export class Retention {
  readonly #pool: pg.Pool;
  readonly #topic: string;
  readonly #settings: RetentionSettings;
  #ranAt = -Infinity;
  #running: Promise<unknown> = Promise.resolve();

  constructor(pool: pg.Pool, topic: string, settings: RetentionSettings) {
    this.#pool = pool;
    this.#topic = topic;
    this.#settings = settings;
  }

  /** Starts a run unless there was one within the last minute. It cannot fail its caller: the next one tries again. */
  runOccasionally(): void {
    if (performance.now() - this.#ranAt < intervalMs) return;
    this.#ranAt = performance.now();
    this.run().catch(() => undefined);
  }

  /** Settles when no run is under way. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Deletes what may go, once a run under way is done. Returns how many records went. */
  run(): Promise<number> {
    const run = this.#running.then(() => this.#run());
    this.#running = run.catch(() => undefined);
    return run;
  }

  async #run(): Promise<number> {
    const { rows } = await this.#pool.query<{
      partition: number;
      end: number;
      floor: string | number | null;
    }>(
      `select partition, next_offset as "end", (
         select min(coalesce(c.next_offset, 0))
         from (select distinct group_name from topic_commits where topic = h.topic) as g
         left join topic_commits as c on c.topic = h.topic and c.group_name = g.group_name and c.partition = h.partition
       ) as floor
       from topic_heads as h where topic = $1 order by partition`,
      [this.#topic],
    );
    let total = 0;
    for (const { partition, end, floor: read } of rows) {
      const floor = read ?? (this.#settings.expireUnread ? end : null);
      if (floor === null) continue;
      for (;;) {
        const records = await this.#step(partition, Number(floor));
        total += records;
        if (records < step) break;
      }
    }
    return total;
  }

  #step(partition: number, floor: number): Promise<number> {
    return withTransaction(this.#pool, async (client) => {
      const heads = await client.query<{ bytes: string | number }>(
        'select bytes from topic_heads where topic = $1 and partition = $2 for update',
        [this.#topic, partition],
      );
      const over = Number(heads.rows[0]?.bytes ?? 0) - this.#settings.bytes;
      const { rows } = await client.query<{
        keep: string | number | null;
        records: string | number;
        bytes: string | number;
      }>(doomed, [this.#topic, partition, floor, this.#settings.ms, Math.max(0, over)]);
      const { keep, records, bytes } = rows[0] ?? { keep: null, records: 0, bytes: 0 };
      if (keep !== null && Number(records) > 0) {
        await client.query(
          `update topic_heads set first_offset = $3, bytes = greatest(0, bytes - $4)
           where topic = $1 and partition = $2`,
          [this.#topic, partition, keep, bytes],
        );
      }
      return Number(records);
    });
  }
}

// Committed offsets of groups, and what they allow to be deleted.

/** The committed offsets of one group; the last write wins, as in Kafka. */
export class GroupCommits implements Committer {
  readonly #pool: pg.Pool;
  readonly #topic: string;
  readonly #group: string;
  readonly #retention: Retention;

  constructor(pool: pg.Pool, topic: string, group: string, retention: Retention) {
    this.#pool = pool;
    this.#topic = topic;
    this.#group = group;
    this.#retention = retention;
  }

  async commit(partition: number, offset: number): Promise<void> {
    const written = this.#pool.query(
      `insert into topic_commits (topic, group_name, partition, next_offset) values ($1, $2, $3, $4)
       on conflict (topic, group_name, partition)
       do update set next_offset = excluded.next_offset, committed_at = now()`,
      [this.#topic, this.#group, partition, offset],
    );
    await asTopic(this.#topic, written);
    this.#retention.runOccasionally();
  }
}

export async function committedOffset(
  pool: pg.Pool,
  topic: string,
  group: string,
  partition: number,
): Promise<number | null> {
  const { rows } = await pool.query<{ next_offset: string | number }>(
    'select next_offset from topic_commits where topic = $1 and group_name = $2 and partition = $3',
    [topic, group, partition],
  );
  return rows[0] === undefined ? null : Number(rows[0].next_offset);
}
