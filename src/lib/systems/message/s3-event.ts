/** S3 event notifications, as AWS, MinIO, Ceph and versitygw write them: what their records ask for. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { fitsImage, maxRequestIdBytes, type Refused, type Request } from './request.ts';
import { type ObjectPlace, placeOf, type EventKeyForm, type MessageRules } from './rules.ts';
import { plainText, timeOf } from './values.ts';

export interface EventAsks {
  requests: Request[];
  refused: Refused[];
  /** Records that ask for nothing. */
  ignored: number;
  /** Why the last of these does not. */
  reason: string;
}

/** What the message around the event says. */
export interface Around {
  /** Of the message's header; null where there is none. */
  requestId: string | null;
  topic: string;
  /** An id that only this message has. */
  positionId: string;
  /** The request id of the message as a whole. */
  messageId: string;
  /** Whether it says that it retries a dead letter. */
  retry: boolean;
  /** When the message was sent, in milliseconds since the epoch. */
  timestamp: number;
  capturedAt: number | null;
  belt: string | null;
  traceparent: string | null;
}

const some = z.string().nullish().catch(null);
/** What is used of a record; the rest of it may be anything. */
const shape = z.object({
  eventSource: some,
  eventTime: some,
  s3: z.object({
    configurationId: some,
    bucket: z.object({ name: z.string() }),
    object: z.object({ key: z.string(), sequencer: some, versionId: some, eTag: some }),
  }),
});
type EventRecord = z.infer<typeof shape>;

/** Changes of what is known of an object, which MinIO reports like new objects. */
const notNew = /^(put|delete)(retention|legalhold|tagging)$/i;

/** Whether a JSON object is such a notification. */
export function isS3Event(json: Record<string, unknown>): boolean {
  return Array.isArray(json['Records']) || json['Event'] === 's3:TestEvent';
}

export function recordsOf(json: Record<string, unknown>): readonly unknown[] {
  return Array.isArray(json['Records']) ? (json['Records'] as unknown[]) : [];
}

/**
 * Every record for itself: one that cannot be read keeps no other from being answered. Those that cannot be done and that
 * nothing in them tells apart become one dead letter of each kind: a hostile event of little bytes makes few letters.
 */
export function readS3Event(json: Record<string, unknown>, around: Around, rules: MessageRules): EventAsks {
  const asked: EventAsks = { requests: [], refused: [], ignored: 0, reason: 'a test event' };
  const records = recordsOf(json);
  if (records.length === 0) return { ...asked, ignored: 1 };
  const ids = new Set<string>();
  const nameless: Nameless[] = [];
  records.forEach((record, nth) => {
    const ignored = (reason: string) => {
      asked.ignored++;
      asked.reason = reason;
    };
    const name = eventName(record);
    const created = name === undefined ? null : /^(?:s3:)?ObjectCreated:(.*)$/.exec(name);
    if (name !== undefined && (created === null || notNew.test(created[1]!))) {
      return ignored(`an event ${name.slice(0, 100)}`);
    }
    const single = records.length === 1;
    const parsed = shape.safeParse(record);
    const own = parsed.success ? eventId(parsed.data) : null;
    const key = parsed.success ? decodeKey(parsed.data, rules.eventKeys) : null;
    const place = parsed.success && key !== null ? placeOf(parsed.data.s3.bucket.name, key, rules) : null;
    const told = single && around.requestId !== null && fitsEvent(around, place, parsed.data, own);
    const id = told
      ? around.requestId!
      : (own ?? (single ? around.positionId : `${around.messageId}#${nth}`));
    const { belt, traceparent } = around;
    const alone = () => (single ? null : eventOf([record], { eventName: name, ...parsed.data }));
    const refuse = (code: string, reason: string, imageKey: string | null = null) => {
      const one = { requestId: id, imageKey, code, reason, belt, traceparent, alone: null };
      if (single || own !== null) asked.refused.push({ ...one, alone: alone() });
      else nameless.push({ record, one });
    };
    if (name === undefined || !parsed.success) {
      return refuse('unreadable_message', 'a record of the S3 event names no event, bucket or key');
    }
    if (place === null) {
      return refuse(
        'unreadable_message',
        'the key in the S3 event is not percent-encoded: if the sender writes raw keys, set VISIONSCALE_S3_EVENT_KEYS=raw',
      );
    }
    switch (place.kind) {
      case 'ignored':
        return ignored(place.reason);
      case 'refused':
        return refuse(place.code, place.reason, place.imageKey);
      case 'image': {
        // The same event twice in one message.
        if (ids.has(id)) return;
        ids.add(id);
        const { imageKey, bucket } = place;
        const capturedAt = around.capturedAt ?? eventTime(parsed.data.eventTime, around.timestamp);
        const request = { id, imageKey, bucket, inline: null, capturedAt, belt, traceparent };
        asked.requests.push({ ...request, alone: alone() });
      }
    }
  });
  for (const code of new Set(nameless.map(({ one }) => one.code))) {
    const alike = nameless.filter(({ one }) => one.code === code);
    asked.refused.push(together(alike, alike.length === records.length, around.messageId));
  }
  return asked;
}

/** Whether the header's id may stand for this record. */
function fitsEvent(
  around: Around,
  place: ObjectPlace | null,
  record: EventRecord | undefined,
  own: string | null,
): boolean {
  const base = record && `s3:${record.s3.bucket.name}/${record.s3.object.key}/`;
  return fitsImage(around.requestId ?? '', {
    ...around,
    imageKey: place === null || place.kind === 'ignored' ? null : place.imageKey,
    inStore: place?.kind === 'image' && place.bucket === null,
    inline: false,
    event: base === undefined ? null : { base, id: own },
  });
}

/** A record that is refused, and that only its place in the message tells from others. */
interface Nameless {
  record: unknown;
  one: Refused;
}

/** Refused for one cause. `all`: there is nothing else in the message, whose own value is what a letter keeps then. */
function together(alike: Nameless[], all: boolean, messageId: string): Refused {
  const { one } = alike[0]!;
  const records = alike.map(({ record }) => record);
  const alone = all ? null : eventOf(records, {});
  if (records.length === 1) return { ...one, alone };
  const requestId = all ? messageId : `${messageId}#${one.code}`;
  const reason = `${one.reason} (and ${records.length - 1} more records like it)`;
  return { ...one, requestId, imageKey: null, reason, alone };
}

/** An event of these records alone; of their essentials where they are nested too deeply to be written. */
function eventOf(records: unknown[], essentials: object): Buffer {
  try {
    return Buffer.from(JSON.stringify({ Records: records }));
  } catch {
    return Buffer.from(JSON.stringify({ Records: records.map(() => essentials) }));
  }
}

function eventName(record: unknown): string | undefined {
  if (typeof record !== 'object' || record === null || !('eventName' in record)) return undefined;
  return plainText(record.eventName, 1000) ?? undefined;
}

/** AWS and MinIO write keys percent-encoded, a space as +; Ceph, and versitygw, known by its configuration's name, as they are. */
function decodeKey({ s3, eventSource }: EventRecord, form: EventKeyForm): string | null {
  const { key } = s3.object;
  const writesRaw = eventSource === 'ceph:s3' || s3.configurationId?.endsWith('-global') === true;
  if (form === 'raw' || (form === 'auto' && writesRaw)) return key;
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return null;
  }
}

/**
 * The same for every delivery of one event, whatever the settings, for the key is taken as it stands there. versitygw's
 * sequencers count from 1 at every start of it, so the time and the ETag go with so short a one.
 */
function eventId({ eventTime, s3: { bucket, object } }: EventRecord): string | null {
  const { sequencer, versionId, eTag } = object;
  const short = sequencer != null && sequencer.length < 12;
  const which = short ? [sequencer, eventTime, eTag].join(' ') : (sequencer ?? versionId ?? eTag);
  if (which == null || which === '') return null;
  const id = `s3:${bucket.name}/${object.key}/${which}`;
  // With a slash in one of the two it might be the id of another object's event.
  if (bucket.name.includes('/') || which.includes('/')) {
    return `s3:sha256:${createHash('sha256')
      .update(JSON.stringify([bucket.name, object.key, which]))
      .digest('hex')}`;
  }
  if (plainText(id, maxRequestIdBytes) !== null) return id;
  return `s3:sha256:${createHash('sha256').update(JSON.stringify(id)).digest('hex')}`;
}

/** A time in whole seconds, as some write it, says less than the message's own where that lies within that second. */
function eventTime(text: string | null | undefined, timestamp: number): number | null {
  const time = timeOf(text);
  const isWhole = time !== null && !/\.\d/.test(text ?? '');
  return isWhole && timestamp >= time && timestamp < time + 1000 ? timestamp : time;
}
