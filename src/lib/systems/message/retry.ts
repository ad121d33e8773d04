/** What `dead-letters retry` puts into the topic for a dead letter, and how a consumer knows it again. */
import { createHash } from 'node:crypto';
import { header, type OutgoingRecord, type TopicRecord } from './record.ts';
import { fitsImage, maxRequestIdBytes, positionRequestId } from './request.ts';
import { plainText } from './values.ts';

/** Of a dead letter, what its retry is made of: the message, or as much of it as asked for this. */
export interface Retried {
  requestId: string;
  attempts: number;
  headers: Record<string, string>;
  key: Buffer | null;
  value: Buffer | null;
}

/** The message once more, with the request id, so that it is no new request. */
export function retryMessage(letter: Retried): OutgoingRecord {
  const { '': _nameless, ...headers } = letter.headers;
  const own = { [header.requestId]: letter.requestId, [header.retry]: `${letter.attempts}` };
  return { key: letter.key, value: letter.value ?? Buffer.alloc(0), headers: { ...headers, ...own } };
}

/** How many attempts the dead letter had that this message retries; null where it is no retry. */
export function retryNumber(headers: Record<string, string>): number | null {
  const text = headers[header.retry];
  return text !== undefined && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : null;
}

/** SHA-256 of a message's value: a retry brings the very value that its letter keeps. */
export function valueDigest(value: Buffer | null): Buffer {
  return createHash('sha256')
    .update(value ?? '')
    .digest();
}

/**
 * The request id of a message as a whole, for one that asks for much and yet ends as one dead letter: its place, and of
 * a retry the id that it was sent with. Where there is such a letter, only its retry counts for anything in the message.
 */
export function messageId({ topic, partition, offset, timestamp, headers }: MessagePlace): string {
  const retried =
    retryNumber(headers) === null ? null : plainText(headers[header.requestId], maxRequestIdBytes);
  return retried ?? positionRequestId(topic, partition, offset, timestamp);
}

/**
 * The request id of such a letter: as `messageId`, but no id that is made of an image's key. That image's request may be still
 * to come, and who sent this only says that it is a retry.
 */
export function wholeLetterId(record: MessagePlace): string {
  const { topic, partition, offset, timestamp } = record;
  const positionId = positionRequestId(topic, partition, offset, timestamp);
  const id = messageId(record);
  const named = {
    imageKey: null,
    inStore: false,
    inline: false,
    event: null,
    topic,
    positionId,
    retry: true,
  };
  return fitsImage(id, named) ? id : positionId;
}

type MessagePlace = Pick<TopicRecord, 'topic' | 'partition' | 'offset' | 'timestamp' | 'headers'>;
