/** Reads one partition of the log in PostgreSQL, a page at a time. */
import type pg from 'pg';
import { pause, unlessAborted } from '../../../base/flow/waiting.ts';
import type { Bell } from '../../database/bell.ts';
import type { TopicRecord } from '../../message/record.ts';
import { outOfRange, topicMissing } from '../limits.ts';
import type { Committer, Reader, ReaderOptions } from '../topic.ts';
import { toTopicError } from './topic-error.ts';

interface Row {
  first_offset: string | number;
  next_offset: string | number;
  offset: string | number | null;
  timestamp_ms: string | number;
  key: Buffer | null;
  value: Buffer;
  headers: unknown;
}

/** One row at least where the partition exists, so that an empty page is told from a topic that is gone. */
const page = `
select first_offset, next_offset, r.* from topic_heads left join lateral (
  select "offset", timestamp_ms, key, value, headers from (
    select *, sum(coalesce(octet_length(key), 0) + octet_length(value)) over (order by "offset") as bytes
    from (
      select "offset", timestamp_ms, key, value, headers from topic_records
      where topic = $1 and partition = $2 and "offset" >= $3 order by "offset" limit $4
    ) as ahead
  ) as counted
  where bytes <= $5 or "offset" = $3
) as r on true
where topic_heads.topic = $1 and topic_heads.partition = $2
order by r."offset"`;

const longestRetryMs = 5_000;

export class EmbeddedReader implements Reader {
  readonly partition: number;
  readonly caughtUpTo = null;
  readonly #pool: pg.Pool;
  readonly #topic: string;
  readonly #bell: Bell;
  readonly #commits: Committer;
  readonly #pollMs: number;
  readonly #prefetchRecords: number;
  readonly #prefetchBytes: number;
  readonly #closing = new AbortController();
  #next: number;

  constructor(
    source: { pool: pg.Pool; topic: string; bell: Bell; pollMs: number; commits: Committer },
    options: ReaderOptions,
  ) {
    this.#pool = source.pool;
    this.#topic = source.topic;
    this.#bell = source.bell;
    this.#pollMs = source.pollMs;
    this.#commits = source.commits;
    this.partition = options.partition;
    this.#next = options.from;
    this.#prefetchRecords = options.prefetchRecords ?? 64;
    this.#prefetchBytes = options.prefetchBytes ?? 16 * 1024 * 1024;
  }

  async *records(stop: AbortSignal): AsyncGenerator<TopicRecord> {
    const signal = AbortSignal.any([stop, this.#closing.signal]);
    let retryMs = 100;
    while (!signal.aborted) {
      const seen = this.#bell.rings(this.#topic);
      let records: TopicRecord[] | undefined;
      try {
        records = await unlessAborted(this.#read(), signal);
        retryMs = 100;
      } catch (error) {
        const fault = toTopicError(error, this.#topic);
        if (!fault.retryable) throw fault;
        await pause(retryMs, signal);
        retryMs = Math.min(retryMs * 2, longestRetryMs);
        continue;
      }
      if (records?.length === 0) await this.#bell.wait(this.#topic, seen, this.#pollMs, signal);
      for (const record of records ?? []) {
        if (signal.aborted) return;
        this.#next = record.offset + 1;
        yield record;
      }
    }
  }

  commit(partition: number, offset: number): Promise<void> {
    return this.#commits.commit(partition, offset);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    return Promise.resolve();
  }

  async #read(): Promise<TopicRecord[]> {
    const { rows } = await this.#pool.query<Row>(page, [
      this.#topic,
      this.partition,
      this.#next,
      this.#prefetchRecords,
      this.#prefetchBytes,
    ]);
    const [row] = rows;
    if (row === undefined) throw topicMissing(this.#topic);
    const first = Number(row.first_offset);
    const end = Number(row.next_offset);
    if (this.#next < first || this.#next > end) {
      throw outOfRange(this.#topic, this.partition, this.#next, `${first} up to, not including, ${end}`);
    }
    if (row.offset === null) return [];
    return rows.map(({ offset, timestamp_ms, key, value, headers }) => ({
      topic: this.#topic,
      partition: this.partition,
      offset: Number(offset),
      timestamp: Number(timestamp_ms),
      key,
      value,
      headers: textOf(headers),
    }));
  }
}

/** What is no text is no header: rows may be written by hand too. */
function textOf(headers: unknown): Record<string, string> {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) return {};
  return Object.fromEntries(
    Object.entries(headers).filter((header): header is [string, string] => typeof header[1] === 'string'),
  );
}
