/** The table corrections: what images really are, and how often the predictions said so. */
import type { Pool } from 'pg';
import { fromSource, type SourceFilter, sourceValues } from './predictions.ts';
import type { Result } from './results.ts';

export interface Correction {
  imageKey: string;
  label: string;
  /** Of the content that was looked at, where it is known: 64 hex digits. */
  sha256?: string | undefined;
}

/** The last word counts. Returns how many are new or changed. */
export async function saveCorrections(
  pool: Pool,
  pipeline: string,
  by: string,
  corrections: readonly Correction[],
): Promise<number> {
  const { rowCount } = await pool.query(
    `insert into corrections (pipeline, image_key, label, corrected_by, sha256, content_since)
     select $1, c.image_key, c.label, $2, coalesce(c.sha256, i.sha256),
       case when c.sha256 is null or c.sha256 = i.sha256 then i.uploaded_at end
     from unnest($3::text[], $4::text[], $5::text[]) as c (image_key, label, sha256)
     left join image_info i using (image_key)
     order by c.image_key
     on conflict (pipeline, image_key) do update set
       label = excluded.label, corrected_by = excluded.corrected_by, corrected_at = clock_timestamp(),
       sha256 = excluded.sha256, content_since = excluded.content_since
     where (corrections.label, corrections.sha256) is distinct from (excluded.label, excluded.sha256)`,
    [
      pipeline,
      by,
      corrections.map((c) => c.imageKey),
      corrections.map((c) => c.label),
      corrections.map((c) => c.sha256 ?? null),
    ],
  );
  return rowCount ?? 0;
}

/** Whether anything is known of the key: it was uploaded, or predicted by this pipeline. */
export async function isKnownImage(pool: Pool, pipeline: string, imageKey: string): Promise<boolean> {
  const { rows } = await pool.query<{ known: boolean }>(
    `select exists (select 1 from image_info where image_key = $2)
       or exists (select 1 from prediction_results where pipeline = $1 and image_key = $2) as known`,
    [pipeline, imageKey],
  );
  return rows[0]!.known;
}

/** The latest prediction of an image; null without one. */
export async function latestCategory(pool: Pool, pipeline: string, imageKey: string): Promise<string | null> {
  const { rows } = await pool.query<{ category: string }>(
    `select category from prediction_results where pipeline = $1 and image_key = $2
     order by time desc, id desc limit 1`,
    [pipeline, imageKey],
  );
  return rows[0]?.category ?? null;
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

export interface AccuracyRow {
  model: Result['model'];
  /** `2026-11-22`, of UTC; null: all days. */
  day: string | null;
  /** Corrected images that the model predicted. */
  images: number;
  /** Of these, with the true label as category. */
  right: number;
  /** Of these, with the true label among the first five. */
  amongFive: number;
  /** Images that it predicted, corrected or not. */
  predicted: number;
}

/**
 * By model version over all days, and by day. An image that a model predicted several times counts once, by the last (of
 * the day). Only predictions of the very content that was corrected count.
 */
export async function measuredAccuracy(
  pool: Pool,
  pipeline: string,
  { since, until, ...source }: SourceFilter & { since?: Date; until?: Date } = {},
): Promise<AccuracyRow[]> {
  const { rows } = await pool.query<AccuracyRow>(
    `with predictions as (
       select image_key, category, top, model, model_version, model_digest, time, id,
         to_char(time at time zone 'UTC', 'YYYY-MM-DD') as day
       from prediction_results
       where pipeline = $1 and ($2::timestamptz is null or time >= $2) and ($3::timestamptz is null or time < $3)
         and ${fromSource(4)}),
     judged as (
       select p.*, c.label from predictions p
       join corrections c on c.pipeline = $1 and c.image_key = p.image_key
       left join image_info i on i.image_key = p.image_key
       where (c.content_since is null or p.time >= c.content_since)
         and (c.sha256 is null or i.sha256 is null or i.sha256 = c.sha256 or p.time < i.uploaded_at)),
     counted as (
       (select distinct on (image_key, model_digest) null as day, * from (select image_key, category, top, model,
          model_version, model_digest, time, id, label from judged) as j order by image_key, model_digest, time desc, id desc)
       union all
       (select distinct on (image_key, model_digest, day) day, image_key, category, top, model, model_version,
          model_digest, time, id, label from judged order by image_key, model_digest, day, time desc, id desc)),
     totals as (
       select model_digest, day, count(distinct image_key)::int8 as predicted, max(model) as model,
         max(model_version) as model_version, max(time) as last
       from predictions group by grouping sets ((model_digest), (model_digest, day)))
     select jsonb_build_object('name', t.model, 'version', t.model_version, 'digest', t.model_digest) as model,
       t.day, t.predicted,
       count(c.image_key)::int8 as images,
       count(*) filter (where c.category = c.label)::int8 as "right",
       count(*) filter (where exists (select 1 from jsonb_array_elements(c.top) s where s->>'category' = c.label))::int8
         as "amongFive"
     from totals t left join counted c on c.model_digest = t.model_digest and c.day is not distinct from t.day
     group by t.model, t.model_version, t.model_digest, t.day, t.predicted, t.last
     order by t.day nulls first, t.last desc`,
    [pipeline, since ?? null, until ?? null, ...sourceValues(source)],
  );
  return rows;
}
