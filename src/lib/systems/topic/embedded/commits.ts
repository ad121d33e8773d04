/** Committed offsets of groups, and what they allow to be deleted. */
import type pg from 'pg';
import type { Committer } from '../topic.ts';
import type { Retention } from './retention.ts';
import { asTopic } from './topic-error.ts';

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
