/** What `dead-letters retry` puts into the topic for a dead letter, and how a consumer knows it again. */
import type { OutgoingRecord } from '../topic/topic.ts';
import { header } from './headers.ts';

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
