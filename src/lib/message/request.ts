/** What a message asks for: one request an image. */

export interface Request {
  /** What makes two deliveries of one request the same; at most `maxRequestIdBytes` of UTF-8. */
  id: string;
  imageKey: string;
  /** When the image was captured, in milliseconds since the epoch; null where nobody said. */
  capturedAt: number | null;
  belt: string | null;
}

/** Room for what `produce` makes of the longest key; PostgreSQL indexes texts of up to some 2,700 bytes. */
export const maxRequestIdBytes = 1100;

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
