/** The one statement that appends: offsets from the head rows, records by unnest, one NOTIFY. */
import type pg from 'pg';
import type { OutgoingRecord } from '../topic.ts';
import { channel } from './channel.ts';

export interface Placed {
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
select partition, next_offset as base, (select pg_notify('${channel}', $1))::text from locked`;

/** Appends in one round trip; the first offset of each partition that is there. */
export async function append(
  pool: pg.Pool,
  topic: string,
  batch: readonly Placed[],
): Promise<Map<number, number>> {
  const bytes: Buffer[] = [];
  const starts: number[] = [];
  let end = 1; // SQL counts from 1
  for (const { record } of batch) {
    starts.push(end);
    if (record.key) bytes.push(record.key);
    bytes.push(record.value);
    end += (record.key?.length ?? 0) + record.value.length;
  }
  const { rows } = await pool.query<{ partition: number; base: string | number }>(statement, [
    topic,
    Buffer.concat(bytes),
    batch.map(({ partition }) => partition),
    starts,
    batch.map(({ record }) => record.key?.length ?? null),
    batch.map(({ record }) => record.value.length),
    batch.map(({ record }) => headersAsJson(record.headers)),
    [...new Set(batch.map(({ partition }) => partition))],
  ]);
  return new Map(rows.map(({ partition, base }) => [partition, Number(base)]));
}

function headersAsJson(headers: Record<string, string>): string {
  const wellFormed = Object.entries(headers).map(([name, value]) => [
    name.toWellFormed(),
    value.toWellFormed(),
  ]);
  return JSON.stringify(Object.fromEntries(wellFormed));
}
