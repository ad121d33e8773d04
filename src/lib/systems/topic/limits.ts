/** What a topic accepts: names, partition numbers and records are checked here before they go anywhere. */
import { type ErrorDetails, TopicError } from '../../base/errors.ts';
import type { OutgoingRecord } from '../message/record.ts';

/** Largest record (key, value and headers, in bytes) a topic takes unless told: 1 MiB, Kafka's default. */
export const defaultMaxRecordBytes = 1_048_576;

/** Most partitions `create` makes. */
const maxPartitions = 10_000;

/** Kafka's rule for names: letters, digits, dot, underscore and hyphen, at most 249 of them. */
export function checkTopicName(name: string): void {
  if (/^[A-Za-z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..') return;
  throw new TopicError(`${JSON.stringify(name.slice(0, 300))} cannot be the name of a topic`, {
    code: 'bad_topic_name',
    hint: 'Use up to 249 letters, digits, dots, underscores and hyphens.',
  });
}

export function checkPartitionCount(partitions: number): void {
  if (Number.isInteger(partitions) && partitions >= 1 && partitions <= maxPartitions) return;
  throw new TopicError(`a topic cannot have ${partitions} partitions`, {
    code: 'bad_partition_count',
    hint: `Ask for 1 to ${maxPartitions}.`,
  });
}

/** Refuses what one of the two topics could not keep as it is: a NUL character, a header without a name. */
export function checkHeaders(records: readonly OutgoingRecord[]): void {
  for (const { headers } of records) {
    for (const name in headers) {
      if (name === '' || name.includes('\0') || headers[name]?.includes('\0')) {
        throw new TopicError(`the header ${JSON.stringify(name.slice(0, 100))} cannot be sent`, {
          code: 'bad_header',
          hint: 'A header needs a name, and neither name nor value may contain a NUL character.',
        });
      }
    }
  }
}

/** The bytes a record counts for: key, value and headers. */
export function recordBytes(record: OutgoingRecord): number {
  let bytes = (record.key?.length ?? 0) + record.value.length;
  for (const name in record.headers) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(record.headers[name] ?? '');
  }
  return bytes;
}

/** The topic will never take these as they are; nothing else of their batch is affected. */
export class RefusedError extends TopicError {
  readonly records: readonly OutgoingRecord[];

  constructor(records: readonly OutgoingRecord[], message: string, details: ErrorDetails) {
    super(message, details);
    this.records = records;
  }
}

/** For another reason than their size: no key in a compacted topic, a time that the broker does not allow. */
export function messageRefused(records: readonly OutgoingRecord[], reason: string): RefusedError {
  return new RefusedError(records, `the topic refuses ${records.length} of the records: ${reason}`, {
    code: 'message_refused',
    hint: 'Check the topic’s settings: cleanup.policy=compact requires a key for each record.',
  });
}

export function messageTooLarge(records: readonly OutgoingRecord[], limit?: number): RefusedError {
  const largest = Math.max(...records.map(recordBytes));
  const which =
    records.length === 1 ? `a record of ${largest}` : `${records.length} records of up to ${largest}`;
  const bound = limit === undefined ? '' : `; the limit is ${limit} bytes`;
  return new RefusedError(records, `${which} bytes cannot go into the topic${bound}`, {
    code: 'message_too_large',
    hint:
      'Send the key of a stored image instead of its bytes. In Kafka the limit can be raised: max.message.bytes of ' +
      'the topic together with KAFKA_CONF_message_max_bytes.',
  });
}

export function topicMissing(name: string): TopicError {
  return new TopicError(`the topic ${name} does not exist`, {
    code: 'topic_missing',
    hint: 'Run `visionscale produce` or `visionscale init`, which create it, or check KAFKA_TOPIC.',
  });
}

export function partitionMissing(name: string, partition: number, partitions: number): TopicError {
  return new TopicError(
    `the topic ${name} has no partition ${partition}: it has ${partitions}, numbered from 0`,
    { code: 'partition_missing', hint: 'Choose one that exists.' },
  );
}

export function outOfRange(name: string, partition: number, offset: number, held?: string): TopicError {
  const place = `offset ${offset} of partition ${partition} of the topic ${name}`;
  return new TopicError(
    `${place} is out of range${held === undefined ? '' : `: the partition holds ${held}`}`,
    {
      code: 'offset_out_of_range',
      hint: 'The records from there on expired unread, or the topic was recreated.',
    },
  );
}
