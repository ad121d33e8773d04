/** How often predictions said what corrections say. */
import type { Pool } from 'pg';
import { isOfContent } from './corrections.ts';
import { fromSource, type SourceFilter, sourceValues } from './predictions.ts';
import type { Result } from './results.ts';

/** Which predictions count. */
export interface MeasuredFilter extends SourceFilter {
  since?: Date;
  until?: Date;
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
}

const day = `to_char(time at time zone 'UTC', 'YYYY-MM-DD')`;

function predictionValues(pipeline: string, { since, until, ...source }: MeasuredFilter) {
  return [pipeline, since ?? null, until ?? null, ...sourceValues(source)];
}

const ofPredictions = `pipeline = $1 and ($2::timestamptz is null or time >= $2) and ($3::timestamptz is null or time < $3)
         and ${fromSource(4)}`;

/**
 * Predictions of the very content that was corrected, each with its true `label`. Found by the keys of the corrections:
 * there are few of them, and predictions without end.
 */
const judged = `select p.*, c.label, ${day} as day from corrections c
       join lateral (select * from prediction_results p where p.image_key = c.image_key and ${ofPredictions}) p on true
       left join image_info i on i.image_key = c.image_key
       where c.pipeline = $1 and ${isOfContent}`;

/**
 * By model version over all days, and by day; the model whose prediction of a corrected image is the latest first. An image
 * that a model predicted several times counts once, by the last (of the day). Only predictions of the very content that was
 * corrected count.
 */
export async function measuredAccuracy(
  pool: Pool,
  pipeline: string,
  filter: MeasuredFilter = {},
): Promise<AccuracyRow[]> {
  const { rows } = await pool.query<AccuracyRow>(
    `with judged as materialized (
       select image_key, model, model_version, model_digest, day, time, id, category = label as is_right,
         exists (select 1 from jsonb_array_elements(top) s where s->>'category' = label) as is_among_five
       from (${judged}) as j),
     counted as (
       (select distinct on (image_key, model_digest) null as of_day, * from judged
        order by image_key, model_digest, time desc, id desc)
       union all
       (select distinct on (image_key, model_digest, day) day, * from judged
        order by image_key, model_digest, day, time desc, id desc))
     select jsonb_build_object('name', max(model), 'version', max(model_version), 'digest', model_digest) as model,
       of_day as day, count(*)::int8 as images, count(*) filter (where is_right)::int8 as "right",
       count(*) filter (where is_among_five)::int8 as "amongFive"
     from counted group by model_digest, of_day order by of_day nulls first, max(time) desc`,
    predictionValues(pipeline, filter),
  );
  return rows;
}

export interface PredictedRow {
  model: Result['model'];
  /** As in AccuracyRow. */
  day: string | null;
  /** Images that it predicted, corrected or not. */
  predicted: number;
}

/** As `measuredAccuracy`; the model that predicted last first. It goes through every prediction. */
export async function countPredicted(
  pool: Pool,
  pipeline: string,
  filter: MeasuredFilter = {},
): Promise<PredictedRow[]> {
  const { rows } = await pool.query<PredictedRow>(
    `select jsonb_build_object('name', max(model), 'version', max(model_version), 'digest', model_digest) as model,
       day, count(distinct image_key)::int8 as predicted
     from (select image_key, model, model_version, model_digest, time, ${day} as day
       from prediction_results where ${ofPredictions}) as p
     group by grouping sets ((model_digest), (model_digest, day)) order by day nulls first, max(time) desc`,
    predictionValues(pipeline, filter),
  );
  return rows;
}

export interface ConfusionRow {
  /** Of the model. */
  digest: string;
  /** What the images really are. */
  label: string;
  /** What the model said. */
  category: string;
  images: number;
}

/** What became what, by model version: each corrected image once, by the model's last prediction; the most frequent first. */
export async function measuredConfusion(
  pool: Pool,
  pipeline: string,
  filter: MeasuredFilter = {},
): Promise<ConfusionRow[]> {
  const { rows } = await pool.query<ConfusionRow>(
    `with latest as (
       select distinct on (image_key, model_digest) model_digest, category, label
       from (${judged}) j order by image_key, model_digest, time desc, id desc)
     select model_digest as digest, label, category, count(*)::int8 as images
     from latest group by 1, 2, 3 order by images desc, label, category`,
    predictionValues(pipeline, filter),
  );
  return rows;
}
