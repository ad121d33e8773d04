/** What a message asks for: one request an image. */

export interface Request {
  /** What makes two deliveries of one request the same; at most `maxRequestIdBytes` of UTF-8. */
  id: string;
  imageKey: string;
  /** The bucket of an S3 event where it is not the store's own; null: the image is in the configured store. */
  bucket: string | null;
  /** The image itself, where the message brings it; nothing is fetched then. */
  inline: Buffer | null;
  /** When the image was captured, in milliseconds since the epoch; null where nobody said. */
  capturedAt: number | null;
  belt: string | null;
  /** W3C trace context, checked. */
  traceparent: string | null;
  /** A value that asks for this alone, where the message asks for more; null: the message's own value does. */
  alone: Buffer | null;
}

/** Something a message asks for that cannot be done: a dead letter. */
export interface Refused {
  requestId: string;
  imageKey: string | null;
  code: string;
  reason: string;
  belt: string | null;
  traceparent: string | null;
  /** As in Request. */
  alone: Buffer | null;
}

/** Room for what `produce` and S3 events make of the longest key; PostgreSQL indexes texts of up to some 2,700 bytes. */
export const maxRequestIdBytes = 1300;

/** The request id of what `produce` sends: the same however often the same round is sent. */
export function producedRequestId(imageKey: string, round: number): string {
  return `p:${round}:${imageKey}`;
}

/** The request id of a message that brought none; no re-created topic repeats it. */
export function positionRequestId(
  topic: string,
  partition: number,
  offset: number,
  timestamp: number,
): string {
  return `${topic}/${partition}/${offset}@${timestamp}`;
}
