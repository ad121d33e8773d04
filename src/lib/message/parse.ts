/** Turns a record into what it asks for, or says why it is unreadable; never throws. */
import { objectKeyFault } from '../objects/key.ts';
import type { TopicRecord } from '../topic/topic.ts';
import { header } from './headers.ts';
import { plausibleTime } from './time.ts';
import { maxRequestIdBytes, positionRequestId, type Request } from './request.ts';

export type Message =
  | { kind: 'requests'; requests: Request[] }
  /** Can never be read. `requestId` identifies the dead letter. */
  | { kind: 'unreadable'; requestId: string; code: string; reason: string };

const maxBeltBytes = 256;

/** An image key as value, everything else in headers. */
export function parseMessage(record: TopicRecord): Message {
  const requestId = idOf(record);
  const unreadable = (reason: string): Message => ({
    kind: 'unreadable',
    requestId,
    code: 'unreadable_message',
    reason,
  });
  if (record.value === null || record.value.length === 0) return unreadable('the message has no value');
  const type = mediaType(record.headers[header.contentType]);
  if (type !== undefined && type !== 'text/plain')
    return unreadable(`messages of type ${JSON.stringify(type.slice(0, 100))} are not understood`);
  if (record.value.length > 1024) {
    return unreadable(`the value is ${record.value.length} bytes long; an image key has at most 1024`);
  }
  const imageKey = utf8(record.value);
  if (imageKey === undefined) return unreadable('the value is not UTF-8 text, so it is no image key');
  const fault = objectKeyFault(imageKey);
  if (fault !== undefined) return unreadable(`the value is no image key: ${fault}`);
  const request: Request = {
    id: requestId,
    imageKey,
    capturedAt: time(record.headers[header.capturedAt]),
    belt: text(record.headers[header.belt], maxBeltBytes),
  };
  return { kind: 'requests', requests: [request] };
}

function idOf(record: TopicRecord): string {
  const given = text(record.headers[header.requestId], maxRequestIdBytes);
  return given ?? positionRequestId(record.topic, record.partition, record.offset, record.timestamp);
}

/** A header's text; null where it is absent, empty, too long holds control characters, or is not valid Unicode. */
function text(value: string | undefined, maxBytes: number): string | null {
  if (
    value === undefined ||
    value === '' ||
    Buffer.byteLength(value) > maxBytes ||
    /[\p{Cc}\p{Cs}]/u.test(value)
  ) {
    return null;
  }
  return value;
}

function time(value: string | undefined): number | null {
  if (value === undefined) return null;
  return plausibleTime(/^\d{1,16}$/.test(value) ? Number(value) : Date.parse(value));
}

function mediaType(value: string | undefined): string | undefined {
  return value?.split(';', 1)[0]?.trim().toLowerCase();
}

function utf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
