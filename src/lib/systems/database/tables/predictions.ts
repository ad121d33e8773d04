/** Reads prediction_results for `results`, and what of it deserves a look: what the model was unsure of; counts outcomes. */
import type { Pool } from 'pg';
import type { Score } from '../../../base/classification.ts';
import type { ResultRow } from '../../../base/results.ts';
import { resultMessage } from './outbox.ts';

/** Where predictions come from; all that is given has to hold. */
export interface SourceFilter {
  /** `name` or `name@version`. */
  model?: string | undefined;
  belt?: string | undefined;
  /** The consumer's host. */
  consumer?: string;
}

/** The condition on three parameters that begin at this number. */
export function fromSource(first: number): string {
  const [model, belt, consumer] = [first, first + 1, first + 2].map((n) => `$${n}::text`);
  return `(${model} is null or ${model} in (model, model || '@' || model_version))
    and (${belt} is null or belt = ${belt}) and (${consumer} is null or hostname = ${consumer})`;
}

export function sourceValues({ model, belt, consumer }: SourceFilter): (string | null)[] {
  return [model ?? null, belt ?? null, consumer ?? null];
}

export interface PredictionFilter extends SourceFilter {
  pipeline: string;
  key?: string;
  category?: string;
  bin?: string;
  /** Only what is unknown. */
  unknown?: boolean;
  since?: Date;
  limit: number;
}

export type { ResultRow } from '../../../base/results.ts';

/** Latest first. */
export async function latestResults(pool: Pool, filter: PredictionFilter): Promise<ResultRow[]> {
  const { rows } = await pool.query<{ result: ResultRow }>(
    `select ${resultMessage} || jsonb_build_object('partition', partition, 'offset', "offset") as result
     from prediction_results
     where pipeline = $1 and ($2::text is null or image_key = $2) and ($3::text is null or category = $3)
       and ($4::timestamptz is null or time >= $4) and ($6::text is null or bin = $6)
       and ($10::bool is not true or novelty >= 1)
       and ${fromSource(7)}
     order by time desc, id desc limit $5`,
    [
      filter.pipeline,
      filter.key ?? null,
      filter.category ?? null,
      filter.since ?? null,
      filter.limit,
      filter.bin ?? null,
      ...sourceValues(filter),
      filter.unknown ?? null,
    ],
  );
  return rows.map(({ result }) => result);
}

/** When the newest row was written, and the time now, both by the database's clock; null where there is none. */
export async function lastPrediction(
  pool: Pool,
  pipeline: string,
): Promise<{ now: Date; last: Date | null }> {
  const { rows } = await pool.query<{ now: Date; last: Date | null }>(
    `select clock_timestamp() as now,
       (select time from prediction_results where pipeline = $1 order by time desc limit 1) as last`,
    [pipeline],
  );
  return rows[0]!;
}

/** What comes first among the unsure: the least confident, the closest second category, or the least like any class. */
export type UnsureOrder = 'confidence' | 'margin' | 'novelty';

/** Predictions that deserve a look: what the model was unsure of or did not know, and nobody has corrected yet. */
export interface UnsureFilter extends SourceFilter {
  pipeline: string;
  /** Percent: less confident than this. */
  below?: number | undefined;
  /** Percentage points: the second category is nearer than this to the first. */
  margin?: number | undefined;
  /** Only what is unknown. */
  unknown?: boolean | undefined;
  category?: string | undefined;
  since?: Date | undefined;
  until?: Date;
  /** Only among so many latest predictions (of the category and the time, where these are given); absent: among all. */
  among?: number | undefined;
  /** Absent: as the filter suggests, which is `novelty` for what is unknown and `margin` where that is given. */
  order?: UnsureOrder | undefined;
  limit: number;
}

export interface UnsureRow {
  imageKey: string;
  category: string;
  confidence: number;
  top: Score[];
  novelty: number | null;
  model: string;
  modelVersion: string;
  modelDigest: string;
  time: Date;
}

/**
 * By the latest prediction of each image. Images replaced since are left out.
 *
 * It reads the predictions that it chooses among once and ranks them by few columns. Whether an image was predicted again,
 * replaced or corrected is looked up from the first on until there are enough: `offset 0` keeps the planner from joining
 * those tables whole instead.
 */
export async function unsurePredictions(pool: Pool, filter: UnsureFilter): Promise<UnsureRow[]> {
  const suggested = filter.margin === undefined ? 'confidence' : 'margin';
  const { rows } = await pool.query<UnsureRow>(
    `with looked_at as (
       select id, image_key, time, confidence, novelty, model, model_version, belt, hostname,
         confidence - coalesce((top->1->>'confidence')::float8, 0) as margin
       from prediction_results
       where pipeline = $1 and ($4::text is null or category = $4) and ($5::timestamptz is null or time >= $5)
         and ($6::timestamptz is null or time < $6)
       order by time desc limit $12::int8),
     ranked as (
       select id, image_key, time,
         case $13::text when 'novelty' then -coalesce(novelty, 0) when 'margin' then margin else confidence end as rank
       from looked_at
       where ($2::float8 is null or confidence < $2) and ($3::float8 is null or margin < $3) and ${fromSource(8)}
         and ($11::bool is not true or novelty >= 1)
       order by rank, image_key offset 0),
     found as (
       select id, rank from ranked p
       where not exists (select 1 from prediction_results later where later.image_key = p.image_key
           and later.pipeline = $1 and (later.time, later.id) > (p.time, p.id) offset 0)
         and not exists (select 1 from image_info i where i.image_key = p.image_key and i.uploaded_at > p.time offset 0)
         and not exists (select 1 from corrections c left join image_info i using (image_key)
           where c.pipeline = $1 and c.image_key = p.image_key
             and (c.sha256 is null or i.sha256 is null or c.sha256 = i.sha256) offset 0)
       order by rank, image_key limit $7)
     select image_key as "imageKey", category, confidence, top, novelty, model,
       model_version as "modelVersion", model_digest as "modelDigest", time
     from found join prediction_results using (id) order by rank, image_key`,
    [
      filter.pipeline,
      filter.below ?? null,
      filter.margin ?? null,
      filter.category ?? null,
      filter.since ?? null,
      filter.until ?? null,
      filter.limit,
      ...sourceValues(filter),
      filter.unknown ?? null,
      filter.among ?? null,
      filter.order ?? (filter.unknown === true ? 'novelty' : suggested),
    ],
  );
  return rows;
}

export interface RecentCount {
  model: { name: string; version: string; digest: string };
  category: string;
  belt: string | null;
  predictions: number;
  /** Of these, of what is unlike every class. */
  unknown: number;
}

/** Of so many latest predictions, by model, category and belt. */
export async function countRecent(
  pool: Pool,
  pipeline: string,
  among: number,
  { since, until, ...source }: SourceFilter & { since?: Date; until?: Date } = {},
): Promise<RecentCount[]> {
  const { rows } = await pool.query<RecentCount>(
    `select jsonb_build_object('name', model, 'version', model_version, 'digest', model_digest) as model,
       category, belt, count(*)::int8 as predictions, count(*) filter (where novelty >= 1)::int8 as unknown
     from (select model, model_version, model_digest, category, belt, novelty from prediction_results
       where pipeline = $1 and ($2::timestamptz is null or time >= $2) and ($3::timestamptz is null or time < $3)
         and ${fromSource(4)}
       order by time desc limit $7) as latest
     group by model, model_version, model_digest, category, belt`,
    [pipeline, since ?? null, until ?? null, ...sourceValues(source), among],
  );
  return rows;
}

interface OutcomeCounts {
  predictions: number;
  deadLetters: number;
  /** Parts of messages that asked for nothing. */
  ignored: number;
}

export async function countOutcomes(pool: Pool, pipeline: string): Promise<OutcomeCounts> {
  const { rows } = await pool.query<OutcomeCounts>(
    `select (select count(*)::int8 from prediction_results where pipeline = $1) as predictions,
       (select count(*)::int8 from dead_letters where pipeline = $1 and state = 'open') as "deadLetters",
       (select coalesce(sum(ignored), 0)::int8 from positions where pipeline = $1) as ignored`,
    [pipeline],
  );
  return rows[0] ?? { predictions: 0, deadLetters: 0, ignored: 0 };
}
