/** Copies what the topic's messages ask for into a temporary table: ids and places, not the messages. */
import { TopicError } from '../../base/errors.ts';
import { claimOf, unclaimedId } from '../../systems/database/record/retry-claims.ts';
import { parseMessage } from '../../systems/message/parse.ts';
import type { TopicRecord } from '../../systems/message/record.ts';
import { wholeLetterId } from '../../systems/message/retry.ts';
import type { MessageRules } from '../../systems/message/rules.ts';
import { topicMissing } from '../../systems/topic/limits.ts';
import type { Topic } from '../../systems/topic/topic.ts';
import { type AuditSession, throwIfInterrupted } from './session.ts';

export interface CopyOptions {
  pipeline: string;
  /** How the consumers read messages. */
  rules: MessageRules | undefined;
  signal: AbortSignal;
  /** How many offsets there are to read, once. */
  onTotal: (offsets: number) => void;
  /** Offsets read since the last call. */
  onRead: (offsets: number) => void;
  onNotice: (text: string) => void;
}

/** Requests a statement. */
const batchSize = 2000;
/** Silence of a partition after which the rest is taken for a transaction's markers, which are no messages, ms. */
const silenceMs = 10_000;

interface Place {
  partition: number;
  first: number;
  end: number;
  /** Where a consumer without a position would start. */
  start: number;
}

interface PositionRow {
  partition: number;
  next_offset: number;
  last_offset: number | null;
  last_timestamp_ms: number | null;
}

/**
 * Positions are read before the ends, so that a position behind the end tells of another topic of that name. What
 * retention deletes meanwhile has been recorded. Returns how many messages there are. Throws `topic_missing`.
 */
export async function copyTopic(session: AuditSession, topic: Topic, options: CopyOptions): Promise<number> {
  const { rows: positions } = await session.query<PositionRow>(
    'select partition, next_offset, last_offset, last_timestamp_ms from positions where pipeline = $1 and topic = $2',
    [options.pipeline, topic.name],
  );
  const count = await topic.partitions();
  if (count === 0) throw topicMissing(topic.name);
  const places: Place[] = [];
  for (let partition = 0; partition < count; partition++) {
    const { first, end } = await topic.bounds(partition);
    const committed = await topic.committed(options.pipeline, partition);
    const start = committed === null || committed > end ? first : Math.max(committed, first);
    places.push({ partition, first, end, start });
  }
  options.onTotal(places.reduce((sum, { first, end }) => sum + end - first, 0));
  let messages = 0;
  for (const place of places) messages += await copyPartition(session, topic, place, options);
  await session.query('analyze audit_topic');
  await savePlaces(session, places, positions);
  return messages;
}

async function copyPartition(
  session: AuditSession,
  topic: Topic,
  place: Place,
  options: CopyOptions,
): Promise<number> {
  let messages = 0;
  let next = place.first;
  while (next < place.end) {
    const batch = new Batch(session, options.rules);
    const silence = new Silence(options.signal);
    const read = (to: number) => {
      options.onRead(to - next);
      next = to;
    };
    await using reader = await topic.reader({
      partition: place.partition,
      from: next,
      group: options.pipeline,
      prefetchRecords: 2000,
      prefetchBytes: 8 * 1024 * 1024,
    });
    try {
      for await (const record of reader.records(silence.signal)) {
        if (record.offset >= place.end) {
          read(place.end);
          break;
        }
        messages++;
        await silence.during(() => batch.add(record));
        read(record.offset + 1);
        if (next >= place.end) break;
      }
      await batch.flush();
    } catch (error) {
      if (!(error instanceof TopicError && error.code === 'offset_out_of_range')) throw error;
      await batch.flush();
      const { first } = await topic.bounds(place.partition);
      // Retention was faster. Behind the end: the topic was created anew, and what it held is gone.
      read(first > next && first < place.end ? first : place.end);
      continue;
    } finally {
      silence[Symbol.dispose]();
    }
    throwIfInterrupted(options.signal);
    if (next < place.end) {
      await topic.bounds(place.partition); // throws where it is the broker that is away
      options.onNotice(
        `partition ${place.partition} of ${topic.name} has no message from offset ${next} to ${place.end}`,
      );
      read(place.end);
    }
  }
  return messages;
}

/** Collects requests and writes them by the thousand. */
class Batch {
  readonly #session: AuditSession;
  readonly #rules: MessageRules | undefined;
  #columns: Columns = empty();

  constructor(session: AuditSession, rules: MessageRules | undefined) {
    this.#session = session;
    this.#rules = rules;
  }

  async add(record: TopicRecord): Promise<void> {
    const claim = claimOf(record);
    // What is no retry has its place for an id.
    const whole = claim === null ? null : wholeLetterId(record);
    requestsOf(record, this.#rules).forEach(([id, key], nth) => {
      const asked = [record.partition, record.offset, record.timestamp, nth, id, key] as const;
      const place = claim && id !== null ? unclaimedId(record, id) : null;
      const row = [...asked, whole, place, claim?.digest ?? null, claim?.isJson ?? null];
      row.forEach((value, column) => (this.#columns[column] as unknown[]).push(value));
    });
    if (this.#columns[0].length >= batchSize) await this.flush();
  }

  async flush(): Promise<void> {
    const columns = this.#columns;
    if (columns[0].length === 0) return;
    this.#columns = empty();
    await this.#session.query(
      `insert into audit_topic (partition, "offset", timestamp_ms, nth, request_id, image_key, message_id, place_id, digest,
         is_json)
       select * from unnest($1::int[], $2::int8[], $3::int8[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[],
         $9::bytea[], $10::boolean[])`,
      columns,
    );
  }
}

type Texts = (string | null)[];
type Columns = [
  ...[number[], number[], number[], number[], Texts, Texts],
  ...[Texts, Texts, (Buffer | null)[], (boolean | null)[]],
];

function empty(): Columns {
  return [[], [], [], [], [], [], [], [], [], []];
}

/** Id and image key; a message that asks for nothing still holds its place. */
function requestsOf(
  record: TopicRecord,
  rules: MessageRules | undefined,
): [id: string | null, key: string | null][] {
  const message = parseMessage(record, rules);
  switch (message.kind) {
    case 'unreadable':
      return [[message.requestId, null]];
    case 'ignored':
      return [[null, null]];
    case 'requests':
      return [
        ...message.requests.map(({ id, imageKey }): [string, string] => [id, imageKey]),
        ...message.refused.map(({ requestId, imageKey }): [string, string | null] => [requestId, imageKey]),
      ];
  }
}

/** Aborts with `signal`, or when nothing has come for a while; the time that the taker needs does not count. */
class Silence implements Disposable {
  readonly signal: AbortSignal;
  readonly #timer: NodeJS.Timeout;
  #since = performance.now();
  #busy = false;

  constructor(signal: AbortSignal) {
    const silent = new AbortController();
    this.signal = AbortSignal.any([signal, silent.signal]);
    this.#timer = setInterval(() => {
      if (!this.#busy && performance.now() - this.#since > silenceMs) silent.abort();
    }, 1000);
  }

  async during(work: () => Promise<void>): Promise<void> {
    this.#busy = true;
    await work();
    this.#busy = false;
    this.#since = performance.now();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/**
 * `stale_offset` is a position that belongs to an earlier topic of this name (as consume/start-offset.ts tells it): as
 * long as it stands, the consumer will begin anew. `since` is the time of the oldest message: who recorded earlier
 * recorded a message that is gone.
 */
async function savePlaces(session: AuditSession, places: Place[], positions: PositionRow[]): Promise<void> {
  await session.query(
    `insert into audit_partitions
     select l.partition, l.first_offset, l.end_offset, l.start_offset,
       case when p.next_offset > l.end_offset or exists (
         select from audit_topic t where t.partition = l.partition and t."offset" = p.last_offset
           and t.timestamp_ms <> p.last_timestamp_ms) then p.next_offset end,
       (select to_timestamp(min(t.timestamp_ms) / 1000.0) from audit_topic t where t.partition = l.partition)
     from unnest($1::int[], $2::int8[], $3::int8[], $4::int8[]) as l (partition, first_offset, end_offset, start_offset)
     left join unnest($5::int[], $6::int8[], $7::int8[], $8::int8[])
       as p (partition, next_offset, last_offset, last_timestamp_ms) using (partition)`,
    [
      places.map((p) => p.partition),
      places.map((p) => p.first),
      places.map((p) => p.end),
      places.map((p) => p.start),
      positions.map((p) => p.partition),
      positions.map((p) => p.next_offset),
      positions.map((p) => p.last_offset),
      positions.map((p) => p.last_timestamp_ms),
    ],
  );
}
