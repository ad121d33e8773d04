/** The table image_info: what `upload` writes and `produce` reads and marks. */
import type { Pool } from 'pg';
import { withTransaction } from '../transaction.ts';

/** The rows `upload` compares with and leaves behind. */
export function imageTable(pool: Pool): ImageTable {
  return {
    async lookup(keys: readonly string[]): Promise<KnownImage[]> {
      const { rows } = await pool.query<{ image_key: string; sha256: string | null }>(
        'select image_key, sha256 from image_info where image_key = any($1)',
        [keys],
      );
      return rows.map((row) => ({ key: row.image_key, sha256: row.sha256 }));
    },

    async forget(key: string): Promise<void> {
      await pool.query('update image_info set sha256 = null where image_key = $1', [key]);
    },

    /**
     * A replaced image gets a new round, so that it is produced and classified again; also where it is still pending,
     * for the topic may have the former content's request already.
     */
    async save(images: readonly ImageRow[]): Promise<void> {
      await pool.query(
        `insert into image_info (image_key, sha256, bytes, content_type)
         select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[])
         on conflict (image_key) do update set
           sha256 = excluded.sha256, bytes = excluded.bytes, content_type = excluded.content_type,
           uploaded_at = now(),
           round = image_info.round + 1,
           produced_at = null
         where image_info.sha256 is distinct from excluded.sha256`,
        [
          images.map((i) => i.key),
          images.map((i) => i.sha256),
          images.map((i) => i.bytes),
          images.map((i) => i.contentType),
        ],
      );
    },
  };
}

export interface PendingImage {
  key: string;
  round: number;
}

/** The next page of images not yet produced in their round, in key order after `after`. */
export async function pendingPage(pool: Pool, after: string, limit: number): Promise<PendingImage[]> {
  const { rows } = await pool.query<{ image_key: string; round: number }>(
    `select image_key, round from image_info
     where produced_at is null and image_key > $1 order by image_key limit $2`,
    [after, limit],
  );
  return rows.map((row) => ({ key: row.image_key, round: row.round }));
}

/** Of these keys, the images not yet produced in their round. */
export async function pendingAmong(pool: Pool, keys: readonly string[]): Promise<PendingImage[]> {
  const { rows } = await pool.query<PendingImage>(
    'select image_key as key, round from image_info where produced_at is null and image_key = any($1)',
    [keys],
  );
  return rows;
}

/** Marks what the topic has acknowledged; an image replaced meanwhile stays pending. Returns how many were marked. */
export async function markProduced(pool: Pool, images: readonly PendingImage[]): Promise<number> {
  const { rowCount } = await pool.query(
    `update image_info i set produced_at = clock_timestamp()
     from unnest($1::text[], $2::int[]) as sent (image_key, round)
     where i.image_key = sent.image_key and i.round = sent.round and i.produced_at is null`,
    [images.map((i) => i.key), images.map((i) => i.round)],
  );
  return rowCount ?? 0;
}

/**
 * Marks images as not produced that have neither prediction nor dead letter in the pipeline. Their round stays, so what is in the
 * topic after all is the same request.
 */
export async function unmarkUnanswered(pool: Pool, pipeline: string): Promise<void> {
  const id = `'p:' || i.round || ':' || i.image_key`;
  await pool.query(
    `update image_info i set produced_at = null where produced_at is not null
       and not exists (select from prediction_results where pipeline = $1 and request_id = ${id})
       and not exists (select from dead_letters where pipeline = $1 and request_id = ${id})`,
    [pipeline],
  );
}

export interface Round {
  id: number;
  images: number;
  /** True where an earlier `--again` had not been finished. */
  resumed: boolean;
}

/** The round that `produce --again` left unfinished, if any. */
export async function openRound(pool: Pool): Promise<Round | null> {
  const { rows } = await pool.query<{ id: number; images: number }>(
    'select id, images from produce_rounds where completed_at is null',
  );
  const row = rows[0];
  return row ? { ...row, resumed: true } : null;
}

/** Asks for every image once more, in one transaction; where a round is still open, that one is gone on with. */
export async function beginRound(pool: Pool): Promise<Round> {
  const resumed = await openRound(pool);
  if (resumed) return resumed;
  return withTransaction(pool, async (client) => {
    const opened = await client.query<{ id: number }>(
      'insert into produce_rounds (images) values (0) on conflict do nothing returning id',
    );
    const id = opened.rows[0]?.id;
    if (id === undefined) {
      const { rows } = await client.query<{ id: number; images: number }>(
        'select id, images from produce_rounds where completed_at is null',
      );
      const other = rows[0];
      return { id: other?.id ?? 0, images: other?.images ?? 0, resumed: true };
    }
    // Pending ones too: what was sent and not yet marked would otherwise be asked for only once.
    const { rowCount } = await client.query('update image_info set round = round + 1, produced_at = null');
    await client.query('update produce_rounds set images = $2 where id = $1', [id, rowCount ?? 0]);
    return { id, images: rowCount ?? 0, resumed: false };
  });
}

export async function completeRound(pool: Pool, id: number): Promise<void> {
  await pool.query('update produce_rounds set completed_at = now() where id = $1 and completed_at is null', [
    id,
  ]);
}

/** Asks for these images once more, whether they were produced or not. */
export async function askAgain(pool: Pool, keys: readonly string[]): Promise<void> {
  await pool.query(
    `update image_info set round = round + 1, produced_at = null
     where image_key = any($1)`,
    [keys],
  );
}

export interface ImageCounts {
  images: number;
  produced: number;
}

export async function countImages(pool: Pool): Promise<ImageCounts> {
  const { rows } = await pool.query<ImageCounts>(
    'select count(*)::int8 as images, count(produced_at)::int8 as produced from image_info',
  );
  return rows[0] ?? { images: 0, produced: 0 };
}

export interface KnownImage {
  key: string;
  /** Of the content, in hex; null in a row that was inserted by hand, or whose replacement was cut off. */
  sha256: string | null;
}

export interface ImageRow {
  key: string;
  sha256: string;
  bytes: number;
  contentType: string;
}

/** Faults are thrown as VisionscaleErrors; what is retryable is tried again. */
export interface ImageTable {
  /** The rows there are among `keys` (some hundreds at a time), in any order. */
  lookup(keys: readonly string[]): Promise<KnownImage[]>;
  /**
   * Clears the sha256 of a row whose object is about to be replaced: until `save`, nobody knows what the store holds.
   * Durably when it resolves.
   */
  forget(key: string): Promise<void>;
  /**
   * Inserts or replaces the rows of images whose objects are in the store, durably when it resolves. A row with
   * another sha256 begins a new round; the same row again changes nothing.
   */
  save(images: readonly ImageRow[]): Promise<void>;
}
