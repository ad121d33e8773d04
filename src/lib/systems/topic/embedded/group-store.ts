/** The rows of a group: who is alive, who holds which partition. All times are the database's. */
import type pg from 'pg';
import { channel } from './producer.ts';
import { asTopic } from './topic-error.ts';

/** A member that has not renewed for this long is dead, ms. */
export const memberTtlMs = 6_000;

const expiry = `now() + interval '${memberTtlMs} milliseconds'`;

export interface Renewal {
  /** False where our own expiry had passed: whatever we held may be another's. */
  alive: boolean;
  held: number[];
}

export class GroupStore {
  /** What the bell rings when members or holders change. */
  readonly payload: string;
  readonly #pool: pg.Pool;
  readonly #topic: string;
  readonly #identity: [topic: string, group: string, member: string];

  constructor(pool: pg.Pool, topic: string, group: string, member: string) {
    this.#pool = pool;
    this.#topic = topic;
    this.#identity = [topic, group, member];
    this.payload = `${topic}/${group}`;
  }

  /** Comes (back) to life and forgets members that have long been dead. */
  async register(): Promise<void> {
    await this.#query(
      `with dead as (
         delete from topic_members where topic = $1 and group_name = $2 and expires_at < now() - interval '1 hour'
       )
       insert into topic_members (topic, group_name, member, expires_at) values ($1, $2, $3, ${expiry})
       on conflict (topic, group_name, member) do update set expires_at = excluded.expires_at`,
    );
    await this.#ring();
  }

  /** Puts off our expiry and that of `held`; what is not renewed any more expires by itself. */
  async renew(held: number[]): Promise<Renewal> {
    const rows = await this.#query<{ alive: boolean; held: number[] }>(
      `with me as (
         update topic_members set expires_at = ${expiry}
         where topic = $1 and group_name = $2 and member = $3 and expires_at > now() returning member
       ), mine as (
         update topic_holders set expires_at = ${expiry}
         where topic = $1 and group_name = $2 and member = $3 and partition = any($4::int[])
           and expires_at > now()
         returning partition
       )
       select exists(select from me) as alive, array(select partition from mine) as held`,
      [held],
    );
    return rows[0] ?? { alive: false, held: [] };
  }

  /**
   * The partitions that are to be ours: every member computes the same from the sorted list of the living. Null where
   * we are not among them.
   */
  async target(): Promise<number[] | null> {
    const rows = await this.#query<{ partitions: number[] }>(
      `with living as (
         select member, row_number() over (order by member collate "C") - 1 as place, count(*) over () as members
         from topic_members where topic = $1 and group_name = $2 and expires_at > now()
       )
       select array(
         select partition from topic_heads where topic = $1 and partition % members = place order by partition
       ) as partitions
       from living where member = $3`,
    );
    return rows[0]?.partitions ?? null;
  }

  /** Takes those of `partitions` that nobody else holds. */
  async acquire(partitions: number[]): Promise<number[]> {
    const rows = await this.#query<{ partition: number }>(
      `insert into topic_holders (topic, group_name, partition, member, expires_at)
       select $1, $2, partition, $3, ${expiry} from unnest($4::int[]) as wanted (partition)
       where exists (
         select from topic_members where topic = $1 and group_name = $2 and member = $3 and expires_at > now()
       )
       order by partition
       on conflict (topic, group_name, partition)
       do update set member = excluded.member, expires_at = excluded.expires_at
       where topic_holders.expires_at < now() or topic_holders.member = excluded.member
       returning partition`,
      [partitions],
    );
    return rows.map(({ partition }) => partition);
  }

  async release(partitions: number[]): Promise<void> {
    await this.#query(
      `delete from topic_holders
       where topic = $1 and group_name = $2 and member = $3 and partition = any($4::int[])`,
      [partitions],
    );
    await this.#ring();
  }

  /** Gone at once, with everything that was held. */
  async leave(): Promise<void> {
    await this.#query(
      `with released as (delete from topic_holders where topic = $1 and group_name = $2 and member = $3)
       delete from topic_members where topic = $1 and group_name = $2 and member = $3`,
    );
    await this.#ring();
  }

  async #ring(): Promise<void> {
    await asTopic(this.#topic, this.#pool.query('select pg_notify($1, $2)', [channel, this.payload]));
  }

  async #query<Row extends pg.QueryResultRow>(text: string, more: unknown[] = []): Promise<Row[]> {
    const { rows } = await asTopic(this.#topic, this.#pool.query<Row>(text, [...this.#identity, ...more]));
    return rows;
  }
}
