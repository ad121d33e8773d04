/** Takes one image in: noted, stored or inline, into the topic; it is accepted only when the topic has acknowledged it. */
import { createHash, randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import { TopicError } from '../../base/errors.ts';
import type { ImagesApart } from '../../models/images/apart.ts';
import type { ImageFormat } from '../../models/images/sniff.ts';
import { noteIngested } from '../../systems/database/tables/ingested.ts';
import { findOutcomes, type RequestOutcome } from '../../systems/database/tables/results.ts';
import { header, keyContentType, type OutgoingRecord } from '../../systems/message/record.ts';
import type { ObjectStore } from '../../systems/objects/store.ts';
import type { Producer } from '../../systems/topic/topic.ts';
import { Problem } from './problem.ts';

export interface IngestDeps {
  pool: Pool;
  store: ObjectStore;
  producer: Producer;
  looking: Pick<ImagesApart, 'header'>;
}

export interface IngestOptions {
  pipeline: string;
  mode: 'store' | 'inline';
  /** Largest image sent inline, in bytes. */
  maxInlineBytes: number;
}

/** An image as it came, with what its request said about it. */
export interface PostedImage {
  bytes: Buffer;
  /** As the sender calls it. */
  name: string | undefined;
  belt: string | null;
  /** In milliseconds since the epoch. */
  capturedAt: number;
  /** W3C, validated. */
  traceparent: string | null;
  idempotencyKey: string | null;
  /** Name of the token; null where none is asked for. */
  token: string | null;
  /** Which of the images of one request. */
  index: number;
}

export interface Ingested {
  id: string;
  imageKey: string;
  /** How it went; `known`: an earlier attempt has its outcome already. */
  way: 'store' | 'inline' | 'known';
  outcome: RequestOutcome | null;
}

/**
 * Repeated under the same idempotency key it does again what an attempt that was cut short may not have done: the same
 * object, and a message with the same request id, which counts once. Throws an ImageError, a Problem (422: the key
 * stands for other bytes), or what database, store and topic throw.
 */
export async function ingest(
  deps: IngestDeps,
  options: IngestOptions,
  posted: PostedImage,
): Promise<Ingested> {
  const { pipeline } = options;
  const { bytes, token, index, idempotencyKey } = posted;
  const { format, contentType } = await deps.looking.header(bytes);
  const id =
    idempotencyKey === null ? freshRequestId() : keyedRequestId({ pipeline, token, index }, idempotencyKey);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  let imageKey = imageKeyOf(id, safeImageName(posted.name, format));
  const earlier = await noteIngested(deps.pool, pipeline, {
    requestId: id,
    imageKey,
    sha256,
    bytes: bytes.length,
    contentType,
    belt: posted.belt,
    idempotencyKey: idempotencyKey === null ? null : JSON.stringify([token, idempotencyKey, index]),
    tokenName: token,
  });
  if (earlier !== null) {
    if (earlier.sha256 !== sha256) throw otherBytes();
    imageKey = earlier.imageKey;
    const [outcome] = await findOutcomes(deps.pool, pipeline, [id]);
    if (outcome !== undefined) return { id, imageKey, way: 'known', outcome };
  }
  const way = await deliver(deps, options, { id, imageKey, contentType }, posted);
  return { id, imageKey, way, outcome: null };
}

interface Named {
  id: string;
  imageKey: string;
  contentType: string;
}

async function deliver(
  { store, producer }: IngestDeps,
  { mode, maxInlineBytes }: IngestOptions,
  named: Named,
  posted: PostedImage,
): Promise<'store' | 'inline'> {
  const key = Buffer.from(named.imageKey);
  if (mode === 'inline' && posted.bytes.length <= maxInlineBytes) {
    try {
      const headers = headersOf(named.id, named.contentType, posted);
      await producer.send([{ key, value: posted.bytes, headers }]);
      return 'inline';
    } catch (error) {
      // The broker's limit is lower than the settings say: it goes the other way.
      if (!(error instanceof TopicError && error.code === 'message_too_large')) throw error;
    }
  }
  await store.put(named.imageKey, posted.bytes, { contentType: named.contentType });
  await producer.send([{ key, value: key, headers: headersOf(named.id, keyContentType, posted) }]);
  return 'store';
}

function headersOf(id: string, contentType: string, posted: PostedImage): OutgoingRecord['headers'] {
  return {
    [header.requestId]: id,
    [header.contentType]: contentType,
    [header.capturedAt]: new Date(posted.capturedAt).toISOString(),
    ...(posted.belt !== null && { [header.belt]: posted.belt }),
    ...(posted.traceparent !== null && { [header.traceparent]: posted.traceparent }),
  };
}

function otherBytes(): Problem {
  return new Problem(
    422,
    'idempotency_key_reused',
    'this Idempotency-Key was used for an image with other bytes',
    { hint: 'Use a new key for each image.' },
  );
}

// Request ids of images that come by HTTP, and the image keys that go with them.

const prefix = 'h:';

/** A UUID of version 7: ids made later sort later. */
export function freshRequestId(now: number = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)];
  return prefix + parts.join('-');
}

/** Who gives the idempotency key, and for which of the images of one request. */
interface KeyOwner {
  pipeline: string;
  /** Name of the token; null where none is asked for. */
  token: string | null;
  /** 0 for the first image of the request. */
  index: number;
}

/** The same for the same key of the same sender, whenever and wherever it comes again. */
export function keyedRequestId(owner: KeyOwner, idempotencyKey: string): string {
  const { pipeline, token, index } = owner;
  const digest = createHash('sha256').update(JSON.stringify([pipeline, token, idempotencyKey, index]));
  return prefix + digest.digest('hex');
}

/** `http/<yyyy-mm-dd>/<id>/<name>`; the name is a safe one (image-name.ts). */
export function imageKeyOf(requestId: string, name: string, now: Date = new Date()): string {
  return `http/${now.toISOString().slice(0, 10)}/${requestId.slice(prefix.length)}/${name}`;
}

// What a sender calls an image, made harmless: one segment of an object key, whatever was sent.

/** Of UTF-8; with the rest of the key far below the 1024 that a key may have. */
const maxBytes = 200;

const extensions: Record<ImageFormat, readonly string[]> = {
  jpeg: ['jpg', 'jpeg', 'jpe', 'jfif'],
  png: ['png', 'apng'],
  webp: ['webp'],
  gif: ['gif'],
  tiff: ['tif', 'tiff'],
  bmp: ['bmp', 'dib'],
};

const imageExtensions = new Set(Object.values(extensions).flat());

/**
 * The last segment of the given name, in letters, digits, spaces and `. _ - + ( )` of any script; anything else is `_`.
 * No leading dots, no percent signs that somebody might decode. `image.<format>` where nothing is left.
 */
export function safeImageName(given: string | undefined, format: ImageFormat): string {
  const last = (given ?? '').toWellFormed().normalize('NFC').split(/[/\\]/).at(-1)!;
  const clean = last
    .replaceAll(/[^\p{L}\p{M}\p{N} ._+()-]/gu, '_')
    .replace(/^[. ]+/, '')
    .replace(/[. ]+$/, '');
  if (/^_*$/.test(clean)) return `image.${extensions[format][0]}`;
  if (Buffer.byteLength(clean) <= maxBytes) return clean;
  const extension = /\.[a-z0-9]{1,5}$/i.exec(clean)?.[0] ?? '';
  let cut = '';
  for (const char of clean.slice(0, clean.length - extension.length)) {
    if (Buffer.byteLength(cut + char) > maxBytes - extension.length) break;
    cut += char;
  }
  return cut.trimEnd() + extension;
}

/** The extension of a name that says it is something else than an image; undefined where it may be one. */
export function foreignExtension(name: string): string | undefined {
  const extension = /\.([^./\\]{1,20})$/.exec(name.trim())?.[1]?.toLowerCase();
  return extension === undefined || imageExtensions.has(extension) ? undefined : extension;
}

/** Node hands headers over byte by byte; most senders mean UTF-8. */
export function headerText(value: string): string {
  const bytes = Buffer.from(value, 'latin1');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return value;
  }
}
