/** The table ingested: what came in by HTTP, so that a pending image differs from an unknown one and no key stands for two. */
import type { Pool } from 'pg';

export interface IngestedImage {
  requestId: string;
  imageKey: string;
  /** Hex. */
  sha256: string;
  bytes: number;
  contentType: string;
  belt: string | null;
  /** Unique within the pipeline; null where the sender gave none. */
  idempotencyKey: string | null;
  tokenName: string | null;
}

/** What an earlier attempt under the same request id has noted. */
export type EarlierAttempt = Pick<IngestedImage, 'imageKey' | 'sha256'>;

/** Notes an image before anything is done for it; the earlier attempt where its request id has one. */
export async function noteIngested(
  pool: Pool,
  pipeline: string,
  image: IngestedImage,
): Promise<EarlierAttempt | null> {
  const { requestId, imageKey, sha256, bytes, contentType, belt, idempotencyKey, tokenName } = image;
  const { rowCount } = await pool.query(
    `insert into ingested (pipeline, request_id, image_key, sha256, bytes, content_type, belt, idempotency_key, token_name)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing`,
    [pipeline, requestId, imageKey, sha256, bytes, contentType, belt, idempotencyKey, tokenName],
  );
  if (rowCount === 1) return null;
  // A statement of its own: the one above does not see a row that was inserted while it waited for it.
  const { rows } = await pool.query<EarlierAttempt>(
    'select image_key as "imageKey", sha256 from ingested where pipeline = $1 and request_id = $2',
    [pipeline, requestId],
  );
  return rows[0] ?? null;
}

export interface AcceptedImage {
  imageKey: string;
  acceptedAt: Date;
}

/** Null where nothing of this request id came in. */
export async function readIngested(
  pool: Pool,
  pipeline: string,
  requestId: string,
): Promise<AcceptedImage | null> {
  const { rows } = await pool.query<AcceptedImage>(
    `select image_key as "imageKey", accepted_at as "acceptedAt" from ingested
     where pipeline = $1 and request_id = $2`,
    [pipeline, requestId],
  );
  return rows[0] ?? null;
}

export interface UnansweredImage {
  id: string;
  key: string;
  belt: string | null;
  acceptedAt: Date;
}

/** The next page of what came in by HTTP and has neither prediction nor dead letter, in the order of request ids after `after`. */
export async function unansweredPage(
  pool: Pool,
  pipeline: string,
  after: string,
  limit: number,
): Promise<UnansweredImage[]> {
  const { rows } = await pool.query<UnansweredImage>(
    `select request_id as id, image_key as key, belt, accepted_at as "acceptedAt" from ingested i
     where pipeline = $1 and request_id > $2
       and not exists (select from prediction_results where pipeline = $1 and request_id = i.request_id)
       and not exists (select from dead_letters where pipeline = $1 and request_id = i.request_id)
     order by request_id limit $3`,
    [pipeline, after, limit],
  );
  return rows;
}

/** Deletes up to `limit` rows that are `days` old and have their outcome; how many went. */
export async function forgetIngested(
  pool: Pool,
  pipeline: string,
  days: number,
  limit: number,
): Promise<number> {
  const { rowCount } = await pool.query(
    `delete from ingested i where ctid = any(array(
       select ctid from ingested o
       where pipeline = $1 and accepted_at < clock_timestamp() - $2 * interval '1 day'
         and (exists (select from prediction_results where pipeline = $1 and request_id = o.request_id)
           or exists (select from dead_letters where pipeline = $1 and request_id = o.request_id))
       limit $3))`,
    [pipeline, days, limit],
  );
  return rowCount ?? 0;
}
