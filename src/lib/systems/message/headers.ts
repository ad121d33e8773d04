/** The message headers that visionscale writes and understands, and the message that asks for an image of `image_info`. */
import type { OutgoingRecord } from './record.ts';
import { producedRequestId } from './request.ts';

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

export function keyMessage({ key, round, capturedAt, belt }: KeyMessage): OutgoingRecord {
  const bytes = Buffer.from(key);
  const headers: Record<string, string> = {
    [header.requestId]: producedRequestId(key, round),
    [header.contentType]: keyContentType,
    [header.capturedAt]: capturedAt.toISOString(),
  };
  if (belt !== undefined) headers[header.belt] = belt;
  return { key: bytes, value: bytes, headers };
}
