/** Turns a record into what it asks for, or says why it is unreadable; never throws. */
import { isUtf8 } from 'node:buffer';
import { objectKeyFault } from '../objects/store.ts';
import { isEnvelope, readEnvelope } from './envelope.ts';
import { header, type TopicRecord } from './record.ts';
import {
  fitsImage,
  maxRequestIdBytes,
  type Named,
  positionRequestId,
  type Refused,
  type Request,
} from './request.ts';
import { retryNumber, wholeLetterId } from './retry.ts';
import { defaultMessageRequests, defaultRules, type MessageRules } from './rules.ts';
import { type Around, isS3Event, readS3Event, recordsOf } from './s3-event.ts';
import { beltOf, plainText, timeOf, traceparentOf } from './values.ts';

export type Message =
  /** At least one of the two is there. `ignored`: parts of the message that ask for nothing. */
  | { kind: 'requests'; requests: Request[]; refused: Refused[]; ignored: number }
  /** Can never be read. `requestId` identifies the dead letter. */
  | ({ kind: 'unreadable' } & Omit<Refused, 'imageKey' | 'alone'>)
  /** Asks for nothing: no row and no dead letter. `events`: how many parts it has. */
  | { kind: 'ignored'; reason: string; events: number };

const maxKeyBytes = 1024;
const maxJsonBytes = 1024 * 1024;

/** Told apart by the content-type header, then by the content: a JSON object, an image key, an image. */
export function parseMessage(record: TopicRecord, rules: MessageRules = defaultRules): Message {
  return new Parser(record, rules).parse();
}

class Parser {
  readonly #record: TopicRecord;
  readonly #rules: MessageRules;
  readonly #around: Around;

  constructor(record: TopicRecord, rules: MessageRules) {
    const { headers, topic, partition, offset, timestamp } = record;
    this.#record = record;
    this.#rules = rules;
    this.#around = {
      requestId: plainText(headers[header.requestId], maxRequestIdBytes),
      topic,
      positionId: positionRequestId(topic, partition, offset, timestamp),
      messageId: wholeLetterId(record),
      retry: retryNumber(headers) !== null,
      timestamp,
      capturedAt: timeOf(headers[header.capturedAt]),
      belt: beltOf(headers[header.belt]),
      traceparent: traceparentOf(headers[header.traceparent]),
    };
  }

  parse(): Message {
    const { value, headers } = this.#record;
    if (value === null || value.length === 0) return this.#unreadable('the message has no value');
    const type = mediaType(headers[header.contentType]);
    if (type === '' || type === 'application/octet-stream') return this.#byContent(value);
    if (type === 'text/plain') return this.#key(value);
    if (type === 'application/json')
      return this.#json(value) ?? this.#unreadable('the value is not a JSON object');
    if (type.startsWith('image/')) return this.#inline(value);
    return this.#unreadable(`messages of type ${JSON.stringify(type.slice(0, 100))} are not supported`);
  }

  #byContent(value: Buffer): Message {
    // A key may begin with a brace too.
    const json = beginsLikeJson(value) ? this.#json(value) : undefined;
    if (json) return json;
    if (isUtf8(value) && !hasControls(value)) return this.#key(value);
    if (looksLikeImage(value)) return this.#inline(value);
    const what = isUtf8(value) ? 'text with control characters' : 'not UTF-8 text';
    return this.#unreadable(
      `the value is ${what}, so not an image key, and neither an event, an envelope nor an image`,
    );
  }

  #key(value: Buffer): Message {
    if (value.length > maxKeyBytes) {
      return this.#unreadable(
        `the value is ${value.length} bytes long; an image key has at most ${maxKeyBytes}`,
      );
    }
    if (!isUtf8(value)) return this.#unreadable('the value is not UTF-8 text, so it is not an image key');
    const imageKey = value.toString();
    const fault = objectKeyFault(imageKey);
    return fault === undefined
      ? this.#request({ imageKey })
      : this.#unreadable(`the value is not an image key: ${fault}`);
  }

  /** Named by the header, else by the message key. */
  #inline(value: Buffer): Message {
    const { key, headers } = this.#record;
    const named = headers[header.name] || (key !== null && isUtf8(key) ? key.toString() : '');
    const fault = objectKeyFault(named);
    if (fault === undefined) return this.#request({ imageKey: named, inline: value });
    return this.#unreadable(
      `the image in the message has no name: neither its header ${header.name} nor the message key is an image key: ${fault}`,
    );
  }

  /** Undefined where it is no JSON object. */
  #json(value: Buffer): Message | undefined {
    if (value.length > maxJsonBytes) {
      return this.#unreadable(`the value is JSON of ${value.length} bytes; at most ${maxJsonBytes} are read`);
    }
    const json = parseObject(value);
    if (json === undefined) return undefined;
    if (isEnvelope(json)) return this.#envelope(json);
    if (isS3Event(json)) {
      const { messageRequests: most = defaultMessageRequests } = this.#rules;
      const { length } = recordsOf(json);
      if (length > most) return this.#tooMany(length, most);
      const { reason, ...asked } = readS3Event(json, this.#around, this.#rules);
      if (asked.requests.length + asked.refused.length > 0) return { kind: 'requests', ...asked };
      return { kind: 'ignored', reason, events: asked.ignored };
    }
    return this.#unreadable('the value is JSON, but neither an envelope nor an S3 event');
  }

  #envelope(json: Record<string, unknown>): Message {
    const envelope = readEnvelope(json, this.#rules);
    if (typeof envelope === 'string') return this.#unreadable(envelope);
    const { place, ...said } = envelope;
    const around = this.#around;
    const told = {
      id: this.#id(place.kind === 'ignored' ? null : place.imageKey, {
        inStore: place.kind === 'image' && place.bucket === null,
        said: said.id,
      }),
      capturedAt: around.capturedAt ?? said.capturedAt,
      belt: around.belt ?? said.belt,
      traceparent: around.traceparent ?? said.traceparent,
    };
    switch (place.kind) {
      case 'image':
        return this.#request({ ...told, imageKey: place.imageKey, bucket: place.bucket });
      case 'ignored':
        return { kind: 'ignored', reason: place.reason, events: 1 };
      case 'refused': {
        const { code, reason, imageKey } = place;
        const { id: requestId, belt, traceparent } = told;
        const refused = { requestId, imageKey, code, reason, belt, traceparent, alone: null };
        return { kind: 'requests', requests: [], refused: [refused], ignored: 0 };
      }
    }
  }

  #request(asked: Partial<Request> & Pick<Request, 'imageKey'>): Message {
    const { capturedAt, belt, traceparent } = this.#around;
    const request: Request = {
      id: asked.id ?? this.#id(asked.imageKey, { inline: asked.inline !== undefined }),
      bucket: null,
      inline: null,
      capturedAt,
      belt,
      traceparent,
      alone: null,
      ...asked,
    };
    return { kind: 'requests', requests: [request], refused: [], ignored: 0 };
  }

  /** Before anything is done for a single one of them. */
  #tooMany(records: number, most: number): Message {
    const { messageId: requestId, belt, traceparent } = this.#around;
    const reason =
      `the S3 event has ${records} records; the limit is ${most} in one message: ` +
      'send fewer in one message, or raise the limit (consume --message-requests, VISIONSCALE_MESSAGE_REQUESTS) and retry it';
    return { kind: 'unreadable', requestId, code: 'too_many_requests', reason, belt, traceparent };
  }

  /** Of the header, else as the envelope has `said`, where it fits the image; else the message's place. */
  #id(
    imageKey: string | null,
    { inStore = true, inline = false, said = null }: Partial<Named> & { said?: string | null } = {},
  ): string {
    const { requestId, positionId } = this.#around;
    const named = { ...this.#around, imageKey, inStore, inline, event: null };
    return [requestId, said].find((id) => id !== null && fitsImage(id, named)) ?? positionId;
  }

  #unreadable(reason: string): Message {
    const { belt, traceparent } = this.#around;
    return {
      kind: 'unreadable',
      requestId: this.#id(null),
      code: 'unreadable_message',
      reason,
      belt,
      traceparent,
    };
  }
}

/** Without parameters, and without the quotes that a framework's mapper of headers writes around it; '' where there is none. */
function mediaType(value = ''): string {
  const bare = /^\s*"(.*)"\s*$/s.exec(value)?.[1] ?? value;
  const type = bare.split(';', 1)[0]!.trim().toLowerCase();
  return type === 'null' ? '' : type;
}

/** The first byte that is not white space is a brace. */
export function beginsLikeJson(value: Buffer): boolean {
  const first = withoutMark(value).find(
    (byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d,
  );
  return first === 0x7b;
}

const byteOrderMark = Buffer.from('\ufeff');

/** Some writers on Windows put one before JSON, too. */
function withoutMark(value: Buffer): Buffer {
  return value.subarray(0, byteOrderMark.length).equals(byteOrderMark)
    ? value.subarray(byteOrderMark.length)
    : value;
}

function parseObject(value: Buffer): Record<string, unknown> | undefined {
  if (!isUtf8(value)) return undefined;
  try {
    const json: unknown = JSON.parse(withoutMark(value).toString());
    return typeof json === 'object' && json !== null && !Array.isArray(json)
      ? (json as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function hasControls(text: Buffer): boolean {
  return /\p{Cc}/u.test(text.toString());
}

const signatures: readonly (readonly [at: number, bytes: string])[] = [
  [0, '\xff\xd8\xff'], // JPEG
  [0, '\x89PNG\r\n\x1a\n'],
  [0, 'GIF87a'],
  [0, 'GIF89a'],
  [8, 'WEBP'],
  [0, 'II*\0'], // TIFF
  [0, 'MM\0*'],
  [0, 'BM'], // BMP
  [4, 'ftyp'], // HEIC, AVIF: refused by name later
];

/** Whether bytes begin as an image file does: a first look, before anything is decoded. */
export function looksLikeImage(bytes: Buffer): boolean {
  return signatures.some(([at, text]) => bytes.toString('latin1', at, at + text.length) === text);
}

// What a message is as one dead letter: the one thing it asks for, or all of it.

type Whole = Pick<Refused, 'requestId' | 'imageKey' | 'belt' | 'traceparent' | 'alone'>;

/** Never throws: the message may be one that nothing here can cope with. */
export function wholeOf(record: TopicRecord, rules: MessageRules): Whole {
  const one = theOne(record, rules);
  if (one !== null) return 'id' in one ? { ...one, requestId: one.id } : one;
  return { requestId: wholeLetterId(record), imageKey: null, belt: null, traceparent: null, alone: null };
}

function theOne(record: TopicRecord, rules: MessageRules): Request | Refused | null {
  try {
    const message = parseMessage(record, rules);
    if (message.kind === 'unreadable') return { ...message, imageKey: null, alone: null };
    if (message.kind === 'ignored') return null;
    const all = [...message.requests, ...message.refused];
    return all.length === 1 ? all[0]! : null;
  } catch {
    return null;
  }
}
