/** Takes one image in: noted, stored or inline, into the topic; it is accepted only when the topic has acknowledged it. */
import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import { TopicError } from '../../base/errors.ts';
import type { ImagesApart } from '../../models/images/apart.ts';
import { noteIngested } from '../../systems/database/tables/ingested.ts';
import { findOutcomes, type Outcome } from '../../systems/database/tables/results.ts';
import { header, keyContentType } from '../../systems/message/headers.ts';
import type { ObjectStore } from '../../systems/objects/store.ts';
import type { OutgoingRecord, Producer } from '../../systems/topic/topic.ts';
import { safeImageName } from './image-name.ts';
import { Problem } from './problem.ts';
import { freshRequestId, imageKeyOf, keyedRequestId } from './request-id.ts';

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
  outcome: Outcome | null;
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
    'this Idempotency-Key was given to an image with other bytes',
    { hint: 'One key stands for one image: take a new key.' },
  );
}
