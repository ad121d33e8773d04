/** Sends batches into the log in PostgreSQL: a partition for each record, one statement that appends, one NOTIFY. */
import type pg from 'pg';
import type { OutgoingRecord } from '../../message/record.ts';
import {
  checkHeaders,
  defaultMaxRecordBytes,
  messageTooLarge,
  recordBytes,
  topicMissing,
} from '../limits.ts';
import type { Placement, Producer } from '../topic.ts';
import { asTopic } from './topic-error.ts';

/** The channel on which the embedded topic notifies: all topics of a database share it; the payload says which topic, or which group of it. */
export const channel = 'visionscale_topic';

/** A statement carries no more than this (one large record apart), so that no memory depends on the batch. */
const statementBytes = 4 * 1024 * 1024;
const statementRecords = 1_000;

export class EmbeddedProducer implements Producer {
  readonly #pool: pg.Pool;
  readonly #topic: string;
  /** As the last append has found: a topic may gain some. */
  #partitions: number;
  readonly #onSent: () => void;
  readonly #sending = new Set<Promise<unknown>>();
  #spread: number;

  constructor(pool: pg.Pool, topic: string, partitions: number, onSent: () => void = () => undefined) {
    this.#pool = pool;
    this.#topic = topic;
    this.#partitions = partitions;
    this.#onSent = onSent;
    this.#spread = Math.floor(Math.random() * partitions);
  }

  async send(records: readonly OutgoingRecord[]): Promise<Placement[]> {
    checkHeaders(records);
    const tooLarge = records.filter((record) => recordBytes(record) > defaultMaxRecordBytes);
    const sending = asTopic(
      this.#topic,
      this.#append(records.filter((record) => !tooLarge.includes(record))),
    );
    const settled = sending.catch(() => undefined).finally(() => this.#sending.delete(settled));
    this.#sending.add(settled);
    const placements = await sending;
    this.#onSent();
    if (tooLarge.length > 0) throw messageTooLarge(tooLarge, defaultMaxRecordBytes);
    return placements;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sending);
  }

  async #append(records: readonly OutgoingRecord[]): Promise<Placement[]> {
    const placements: Placement[] = [];
    for (const batch of statements(
      records.map((record) => ({ record, partition: this.#partition(record) })),
    )) {
      const { next, partitions } = await append(this.#pool, this.#topic, batch);
      this.#partitions = Math.max(this.#partitions, partitions);
      for (const { partition } of batch) {
        const offset = next.get(partition);
        if (offset === undefined) throw topicMissing(this.#topic);
        placements.push({ partition, offset });
        next.set(partition, offset + 1);
      }
    }
    return placements;
  }

  #partition({ key }: OutgoingRecord): number {
    if (key !== null) return partitionForKey(key, this.#partitions);
    this.#spread = (this.#spread + 1) % this.#partitions;
    return this.#spread;
  }
}

function* statements(batch: Placed[]): Generator<Placed[]> {
  let part: Placed[] = [];
  let bytes = 0;
  for (const placed of batch) {
    const size = recordBytes(placed.record);
    if (part.length > 0 && (part.length === statementRecords || bytes + size > statementBytes)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(placed);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

/** The one statement that appends: offsets from the head rows, records by unnest, one NOTIFY. */
interface Placed {
  record: OutgoingRecord;
  partition: number;
}

/**
 * Heads are locked in the order of their partitions, so two appenders cannot wait for each other; the lock is held to
 * the end of the statement, so offsets become visible in their order. Keys and values travel as one binary parameter.
 */
const statement = `
with input as (
  select partition, key_start, key_length, value_length, headers,
    row_number() over (partition by partition order by ordinal) - 1 as nth
  from unnest($3::int[], $4::int[], $5::int[], $6::int[], $7::text[])
    with ordinality as i (partition, key_start, key_length, value_length, headers, ordinal)
), added as (
  select partition, count(*) as records,
    sum(coalesce(key_length, 0) + value_length) as bytes
  from input group by partition
), locked as materialized (
  select partition, next_offset, bytes from topic_heads
  where topic = $1 and partition = any($8::int[]) order by partition for update
), advanced as (
  update topic_heads set next_offset = locked.next_offset + added.records, bytes = locked.bytes + added.bytes
  from locked join added using (partition)
  where topic_heads.topic = $1 and topic_heads.partition = locked.partition
), appended as (
  insert into topic_records (topic, partition, "offset", timestamp_ms, key, value, headers)
  select $1, partition, next_offset + nth, floor(extract(epoch from clock_timestamp()) * 1000),
    substring($2::bytea from key_start for key_length),
    substring($2::bytea from key_start + coalesce(key_length, 0) for value_length),
    headers::jsonb
  from input join locked using (partition)
)
select partition, next_offset as base, (select pg_notify('${channel}', $1))::text,
  (select count(*)::int from topic_heads where topic = $1) as partitions
from locked`;

interface Row {
  partition: number;
  base: string | number;
  partitions: number;
}

interface Appended {
  /** The first offset, of each partition that is there. */
  next: Map<number, number>;
  /** How many the topic has by now. */
  partitions: number;
}

/** Appends in one round trip. */
async function append(pool: pg.Pool, topic: string, batch: readonly Placed[]): Promise<Appended> {
  const bytes: Buffer[] = [];
  const starts: number[] = [];
  let end = 1; // SQL counts from 1
  for (const { record } of batch) {
    starts.push(end);
    if (record.key) bytes.push(record.key);
    bytes.push(record.value);
    end += (record.key?.length ?? 0) + record.value.length;
  }
  const { rows } = await pool.query<Row>(statement, [
    topic,
    Buffer.concat(bytes),
    batch.map(({ partition }) => partition),
    starts,
    batch.map(({ record }) => record.key?.length ?? null),
    batch.map(({ record }) => record.value.length),
    batch.map(({ record }) => headersAsJson(record.headers)),
    [...new Set(batch.map(({ partition }) => partition))],
  ]);
  const next = new Map(rows.map(({ partition, base }) => [partition, Number(base)]));
  return { next, partitions: rows[0]?.partitions ?? 0 };
}

function headersAsJson(headers: Record<string, string>): string {
  const wellFormed = Object.entries(headers).map(([name, value]) => [
    name.toWellFormed(),
    value.toWellFormed(),
  ]);
  return JSON.stringify(Object.fromEntries(wellFormed));
}

// Where a keyed record goes: Kafka's default partitioner, so that both topics place a key alike.

const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;

/** The 32-bit MurmurHash2 of Kafka's Java client, as a signed integer. */
export function murmur2(data: Uint8Array): number {
  const { length } = data;
  let hash = seed ^ length;
  const whole = length & ~3;
  for (let at = 0; at < whole; at += 4) {
    let word =
      byte(data, at) | (byte(data, at + 1) << 8) | (byte(data, at + 2) << 16) | (byte(data, at + 3) << 24);
    word = Math.imul(word, multiplier);
    word ^= word >>> 24;
    hash = Math.imul(hash, multiplier) ^ Math.imul(word, multiplier);
  }
  const rest = length - whole;
  if (rest > 2) hash ^= byte(data, whole + 2) << 16;
  if (rest > 1) hash ^= byte(data, whole + 1) << 8;
  if (rest > 0) hash = Math.imul(hash ^ byte(data, whole), multiplier);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, multiplier);
  return hash ^ (hash >>> 15);
}

/** The partition of a key: `toPositive(murmur2(key)) % partitions`, as in Java. */
export function partitionForKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

function byte(data: Uint8Array, at: number): number {
  return data[at] ?? 0;
}
