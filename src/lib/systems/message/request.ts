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

/** What an id from outside is to stand for. */
export interface Named {
  /** Null where nobody could read it. */
  imageKey: string | null;
  /** The image is the configured store's own. */
  inStore: boolean;
  /** The image is in the message itself. */
  inline: boolean;
  /** Of an S3 event's record: how the ids begin that are made of its bucket and key, and its own. */
  event: { base: string; id: string | null } | null;
  /** Of the message. */
  topic: string;
  positionId: string;
  /** Whether the message says that it retries a dead letter. */
  retry: boolean;
}

/** As `produce` and `watch`, as `serve`, and as S3 events make them. */
const ofProduce = /^p:\d+:/;
const ofServe = /^h:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64})$/;
const ofEvent = /^s3:(?:sha256:[0-9a-f]{64}$|[^/]+\/)/;

/**
 * An id that a sender of ours makes of an image counts for that image alone: for any other it would take the place of a
 * request that is still to come. Every other id is its sender's own business.
 */
export function fitsImage(id: string, named: Named): boolean {
  const { imageKey, inStore, inline, event, topic } = named;
  if (ofProduce.test(id)) {
    return inStore && !inline && imageKey !== null && /^p:(0|[1-9]\d{0,9}):(.+)$/s.exec(id)?.[2] === imageKey;
  }
  if (ofServe.test(id)) return inStore && isServedImage(id, imageKey);
  if (ofEvent.test(id)) {
    if (event === null) return false;
    return id === event.id || (id.startsWith(event.base) && !id.slice(event.base.length).includes('/'));
  }
  // The place of another message, which only the retry of that one's dead letter has to name.
  const isPlace = id.startsWith(`${topic}/`) && /^\d+\/\d+@\d+(#\w+)*$/.test(id.slice(topic.length + 1));
  return !isPlace || named.retry || id === named.positionId;
}

/** Whether `serve` has put this image into the store, under a key of this request alone. */
export function isServedImage(id: string, imageKey: string | null): boolean {
  const [, served] = ofServe.exec(id) ?? [];
  const [, part] = /^http\/\d{4}-\d\d-\d\d\/([^/]+)\/[^/]+$/.exec(imageKey ?? '') ?? [];
  return served !== undefined && part === served;
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
