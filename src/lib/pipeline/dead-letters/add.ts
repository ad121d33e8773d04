/** The verb `dead-letters add`: moves one message out of its partition's way, whatever holds it up there. */
import type { Pool } from 'pg';
import { TopicError } from '../../base/errors.ts';
import {
  alreadyRecorded,
  type Moved,
  movedByHand,
  moveMessage,
} from '../../systems/database/record/move-message.ts';
import type { DeadLetter } from '../../systems/database/record/outcome.ts';
import { type PartitionId, readPosition } from '../../systems/database/tables/owners.ts';
import { wholeOf } from '../../systems/message/parse.ts';
import type { TopicRecord } from '../../systems/message/record.ts';
import type { MessageRules } from '../../systems/message/rules.ts';
import { topicMissing } from '../../systems/topic/limits.ts';
import type { Topic } from '../../systems/topic/topic.ts';
import { deadLetter } from '../consume/answer/answer-request.ts';
import { own } from '../consume/answer/answer.ts';

export interface AddOptions {
  pipeline: string;
  partition: number;
  offset: number;
  /** As the consumers read messages: a message that asks for one thing keeps its request id. */
  rules: MessageRules;
  /** Who moves it and why, for the letter. */
  by: string;
  reason: string | null;
  hostname: string;
  /** As consumers do, to the topic of dead letters. */
  publish: boolean;
  /** Shown the message before anything is written; false: leave it. */
  confirm: (message: FoundMessage) => Promise<boolean>;
}

export interface FoundMessage {
  record: TopicRecord;
  /** The letter's. */
  requestId: string;
  imageKey: string | null;
}

export interface Added extends Moved {
  partition: number;
  offset: number;
}

/** Longest wait for the message, in milliseconds. */
const readMs = 30_000;

/**
 * The message becomes a dead letter in one transaction, and the position moves behind it where nothing before it is left
 * to be recorded: a consumer that works on it, or is stuck with it, looks and passes over it. Null: it was not confirmed.
 * Throws `already_recorded`, and where there is no such message.
 */
export async function addDeadLetter(pool: Pool, topic: Topic, options: AddOptions): Promise<Added | null> {
  const { pipeline, partition, offset, hostname, publish } = options;
  const id: PartitionId = { pipeline, topic: topic.name, partition };
  const bounds = await boundsOf(topic, partition);
  const committed = await topic.committed(pipeline, partition);
  const start =
    (await readPosition(pool, id))?.nextOffset ??
    (committed === null || committed > bounds.end ? bounds.first : Math.max(committed, bounds.first));
  if (offset < bounds.first || offset >= bounds.end) throw noMessage(topic.name, partition, offset, bounds);
  if (start > offset) throw alreadyRecorded(id, offset, start);
  const first = await messageAt(topic, id, Math.max(start, bounds.first));
  const record = first?.offset === offset ? first : await messageAt(topic, id, offset);
  if (record?.offset !== offset) throw noMessage(topic.name, partition, offset, bounds);

  const letter = letterOf(record, options);
  const { requestId, imageKey } = letter;
  if (!(await options.confirm({ record, requestId, imageKey }))) return null;
  const nextFrom = record === first ? start : offset;
  const moved = await moveMessage(pool, id, { letter, start, nextFrom, hostname, publish });
  return { partition, offset, ...moved };
}

/** A message that asks for one thing is that request's dead letter; any other is one letter as a whole. */
function letterOf(record: TopicRecord, { rules, by, reason }: AddOptions): DeadLetter {
  const whole = wholeOf(record, rules);
  const message = `moved by ${by}${reason === null ? '' : `: ${reason}`}`;
  return deadLetter(own(record, whole), whole, 'read', movedByHand, message);
}

async function boundsOf(topic: Topic, partition: number): Promise<{ first: number; end: number }> {
  const partitions = await topic.partitions();
  if (partitions === 0) throw topicMissing(topic.name);
  if (partition < partitions) return topic.bounds(partition);
  throw new TopicError(
    `topic ${topic.name} has ${partitions} partitions, 0 to ${partitions - 1}; there is no partition ${partition}`,
    { code: 'no_such_partition', hint: 'Choose one of them with --partition.' },
  );
}

/** The first message from this offset on; null where none comes. */
async function messageAt(topic: Topic, id: PartitionId, from: number): Promise<TopicRecord | null> {
  const { pipeline: group, partition } = id;
  await using reader = await topic.reader({ partition, from, group, prefetchRecords: 1 });
  for await (const record of reader.records(AbortSignal.timeout(readMs))) return record;
  return null;
}

function noMessage(
  topic: string,
  partition: number,
  offset: number,
  { first, end }: { first: number; end: number },
): TopicError {
  const there =
    first === end ? 'it holds none' : `it holds offsets ${first} to ${end - 1}, some of which may be empty`;
  return new TopicError(
    `there is no message at offset ${offset} of partition ${partition} of ${topic}: ${there}`,
    {
      code: 'no_such_message',
      hint: 'visionscale status shows the position of each partition, the log of its consumer what it waits for.',
    },
  );
}
