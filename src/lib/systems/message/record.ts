/** Records: what a topic takes and what it hands out; and the headers that visionscale writes and understands. */
import { producedRequestId } from './request.ts';

/** A record on its way in. Headers are text; the value is what a consumer gets, byte for byte. */
export interface OutgoingRecord {
  key: Buffer | null;
  value: Buffer;
  headers: Record<string, string>;
}

/** A record as read. An empty value may come back as null. `timestamp` is in milliseconds since the epoch; offsets are exact up to 2^53. */
export interface TopicRecord {
  topic: string;
  partition: number;
  offset: number;
  timestamp: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, string>;
}

/** The headers that visionscale writes and understands. */
export const header = {
  requestId: 'visionscale-request-id',
  /** ISO 8601, or milliseconds since the epoch. */
  capturedAt: 'visionscale-captured-at',
  belt: 'visionscale-belt',
  /** The image key of an image that is the message's value, where the message key is not it. */
  name: 'visionscale-image-name',
  /** W3C trace context. */
  traceparent: 'traceparent',
  /** What the message's value is: `text/plain` an image key, `application/json` an envelope or event, `image/…` an image. */
  contentType: 'content-type',
  /** Only from `dead-letters retry`: how many attempts the dead letter had when it was sent once more. */
  retry: 'visionscale-retry',
} as const;

/** The content type of a message whose value is an image key. */
export const keyContentType = 'text/plain; charset=utf-8';

/** The message that asks for an image of `image_info`: its key, and everything else in headers. */
interface KeyMessage {
  key: string;
  round: number;
  capturedAt: Date;
  belt: string | undefined;
}

export function keyMessage({ round, ...message }: KeyMessage): OutgoingRecord {
  return requestMessage({ ...message, id: producedRequestId(message.key, round) });
}

/** The message that asks for any image of the store, under a request id. */
export function requestMessage({
  key,
  id,
  capturedAt,
  belt,
}: Omit<KeyMessage, 'round'> & { id: string }): OutgoingRecord {
  const bytes = Buffer.from(key);
  const headers: Record<string, string> = {
    [header.requestId]: id,
    [header.contentType]: keyContentType,
    [header.capturedAt]: capturedAt.toISOString(),
  };
  if (belt !== undefined) headers[header.belt] = belt;
  return { key: bytes, value: bytes, headers };
}
