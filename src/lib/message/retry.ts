/** What `dead-letters retry` puts into the topic for a dead letter, and how a consumer knows it again. */
import type { OutgoingRecord } from '../topic/topic.ts';
import { header, keyContentType } from './headers.ts';

/** Of a dead letter, what its retry is made of. */
export interface Retried {
  requestId: string;
  attempts: number;
  /** Null where the message could not be read. */
  imageKey: string | null;
  headers: Record<string, string>;
  /** Used where there is no image key. */
  key: Buffer | null;
  value: Buffer | null;
}

/** The image key, or the original message where that was unreadable; with the request id, so that it is no new request. */
export function retryMessage(letter: Retried): OutgoingRecord {
  const own = { [header.requestId]: letter.requestId, [header.retry]: `${letter.attempts}` };
  if (letter.imageKey === null) {
    const { '': _nameless, ...headers } = letter.headers;
    return { key: letter.key, value: letter.value ?? Buffer.alloc(0), headers: { ...headers, ...own } };
  }
  const bytes = Buffer.from(letter.imageKey);
  const headers: Record<string, string> = { [header.contentType]: keyContentType, ...own };
  for (const name of [header.capturedAt, header.belt]) {
    const value = letter.headers[name];
    if (value !== undefined) headers[name] = value;
  }
  return { key: bytes, value: bytes, headers };
}

/** How many attempts the dead letter had that this message retries; null where it is no retry. */
export function retryNumber(headers: Record<string, string>): number | null {
  const text = headers[header.retry];
  return text !== undefined && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : null;
}
