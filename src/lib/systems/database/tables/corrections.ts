/** The table corrections: what images really are. */
import type { Pool } from 'pg';

export interface Correction {
  imageKey: string;
  label: string;
  /** Of the content that was looked at, where it is known: 64 hex digits. */
  sha256?: string | undefined;
}

/** The last word counts. Returns the keys of those that are new or changed. */
export async function saveCorrections(
  pool: Pool,
  pipeline: string,
  by: string,
  corrections: readonly Correction[],
): Promise<string[]> {
  const { rows } = await pool.query<{ key: string }>(
    `insert into corrections (pipeline, image_key, label, corrected_by, sha256, content_since)
     select $1, c.image_key, c.label, $2, coalesce(c.sha256, i.sha256),
       case when c.sha256 is null or c.sha256 = i.sha256 then i.uploaded_at end
     from unnest($3::text[], $4::text[], $5::text[]) as c (image_key, label, sha256)
     left join image_info i using (image_key)
     order by c.image_key
     on conflict (pipeline, image_key) do update set
       label = excluded.label, corrected_by = excluded.corrected_by, corrected_at = clock_timestamp(),
       sha256 = excluded.sha256, content_since = excluded.content_since
     where (corrections.label, corrections.sha256) is distinct from (excluded.label, excluded.sha256)
     returning image_key as key`,
    [
      pipeline,
      by,
      corrections.map((c) => c.imageKey),
      corrections.map((c) => c.label),
      corrections.map((c) => c.sha256 ?? null),
    ],
  );
  return rows.map(({ key }) => key);
}

export interface FormerCorrection {
  label: string;
  sha256: string | null;
}

/** What has been said of these images so far, by their keys. */
export async function formerCorrections(
  pool: Pool,
  pipeline: string,
  keys: readonly string[],
): Promise<Map<string, FormerCorrection>> {
  const { rows } = await pool.query<FormerCorrection & { key: string }>(
    'select image_key as key, label, sha256 from corrections where pipeline = $1 and image_key = any($2)',
    [pipeline, keys],
  );
  return new Map(rows.map(({ key, ...former }) => [key, former]));
}

/** A correction to take back, with what it replaced. */
export interface TakenBack {
  imageKey: string;
  label: string;
  former: FormerCorrection | null;
}

/** What somebody has corrected again since stays. Returns the keys of those that were taken back. */
export async function takeBackCorrections(
  pool: Pool,
  pipeline: string,
  by: string,
  corrections: readonly TakenBack[],
): Promise<string[]> {
  const { rows } = await pool.query<{ key: string }>(
    `with given as (
       select * from unnest($3::text[], $4::text[], $5::text[], $6::text[]) as g (image_key, label, former, former_sha256)),
     gone as (
       delete from corrections c using given g
       where c.pipeline = $1 and c.image_key = g.image_key and c.label = g.label and g.former is null
       returning c.image_key),
     back as (
       update corrections c set label = g.former, sha256 = g.former_sha256, corrected_by = $2,
         corrected_at = clock_timestamp(),
         content_since = (select i.uploaded_at from image_info i
           where i.image_key = g.image_key and i.sha256 = g.former_sha256)
       from given g
       where c.pipeline = $1 and c.image_key = g.image_key and c.label = g.label and g.former is not null
       returning c.image_key)
     select image_key as key from gone union all select image_key from back`,
    [
      pipeline,
      by,
      corrections.map((c) => c.imageKey),
      corrections.map((c) => c.label),
      corrections.map((c) => c.former?.label ?? null),
      corrections.map((c) => c.former?.sha256 ?? null),
    ],
  );
  return rows.map(({ key }) => key);
}

/** Of these keys, those of which nothing is known: neither uploaded, nor predicted by this pipeline. */
export async function unknownImages(
  pool: Pool,
  pipeline: string,
  keys: readonly string[],
): Promise<string[]> {
  const { rows } = await pool.query<{ key: string }>(
    `select key from unnest($2::text[]) as key
     where not exists (select 1 from image_info where image_key = key)
       and not exists (select 1 from prediction_results where pipeline = $1 and image_key = key)`,
    [pipeline, keys],
  );
  return rows.map(({ key }) => key);
}

/** The condition on a correction `c`, a prediction `p` and its image `i`: it is of the very content that was corrected. */
export const isOfContent = `(c.content_since is null or p.time >= c.content_since)
         and (c.sha256 is null or i.sha256 is null or i.sha256 = c.sha256 or p.time < i.uploaded_at)`;

export interface CorrectionOfResult {
  label: string;
  by: string;
  at: Date;
}

/** What people say that the image of a result really is; null: nothing, or of another content that its key has had. */
export async function correctionOfResult(
  pool: Pool,
  pipeline: string,
  requestId: string,
): Promise<CorrectionOfResult | null> {
  const { rows } = await pool.query<CorrectionOfResult>(
    `select c.label, c.corrected_by as by, c.corrected_at as at from prediction_results p
     join corrections c on c.pipeline = $1 and c.image_key = p.image_key
     left join image_info i on i.image_key = p.image_key
     where p.pipeline = $1 and p.request_id = $2 and ${isOfContent}`,
    [pipeline, requestId],
  );
  return rows[0] ?? null;
}

/** The latest prediction of each image that has one. */
export async function latestCategories(
  pool: Pool,
  pipeline: string,
  keys: readonly string[],
): Promise<Map<string, string>> {
  const { rows } = await pool.query<{ key: string; category: string }>(
    `select key, p.category from unnest($2::text[]) as key
     cross join lateral (select category from prediction_results where pipeline = $1 and image_key = key
       order by time desc, id desc limit 1) p`,
    [pipeline, keys],
  );
  return new Map(rows.map(({ key, category }) => [key, category]));
}

/** The labels that corrections of the pipeline have used, by how many. */
export async function correctionsByLabel(
  pool: Pool,
  pipeline: string,
): Promise<{ label: string; corrections: number }[]> {
  const { rows } = await pool.query<{ label: string; corrections: number }>(
    `select label, count(*)::int8 as corrections from corrections where pipeline = $1
     group by label order by corrections desc, label`,
    [pipeline],
  );
  return rows;
}

/** The labels that corrections of the pipeline have used. */
export async function correctedLabels(pool: Pool, pipeline: string): Promise<string[]> {
  const { rows } = await pool.query<{ label: string }>(
    'select distinct label from corrections where pipeline = $1 order by label',
    [pipeline],
  );
  return rows.map(({ label }) => label);
}

export interface StoredCorrection {
  imageKey: string;
  label: string;
  sha256: string | null;
  /** What image_info says of the key now. */
  currentSha256: string | null;
}

/** The next corrections in the order of their keys. */
export async function correctionPage(
  pool: Pool,
  pipeline: string,
  after: string,
  limit: number,
): Promise<StoredCorrection[]> {
  const { rows } = await pool.query<StoredCorrection>(
    `select c.image_key as "imageKey", c.label, c.sha256, i.sha256 as "currentSha256"
     from corrections c left join image_info i using (image_key)
     where c.pipeline = $1 and c.image_key > $2 order by c.image_key limit $3`,
    [pipeline, after, limit],
  );
  return rows;
}
