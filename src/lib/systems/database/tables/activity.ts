/** What was recorded over time: results and dead letters in equal spans. */
import type { Pool } from 'pg';

export interface ActivitySpan {
  /** When it began, in seconds since the epoch. */
  at: number;
  done: number;
  failed: number;
  /** Of these, results beyond the deadline. */
  late: number;
  /** From capture to row, in milliseconds; null without results. */
  latencyP50: number | null;
  latencyP99: number | null;
  /** Fetching, decoding and classifying alone. */
  workP50: number | null;
  /** The rest of the latency: waiting in the topic and for its turn, and being recorded. */
  waitP50: number | null;
}

const work = `(stages->>'fetch')::float8 + (stages->>'decode')::float8 + (stages->>'preprocess')::float8 + (stages->>'infer')::float8`;

/** Spans of `seconds` from `since` to before `until` in which something was recorded, the oldest first. */
export async function readActivity(
  pool: Pool,
  pipeline: string,
  since: Date,
  until: Date,
  seconds: number,
): Promise<ActivitySpan[]> {
  const { rows } = await pool.query<ActivitySpan>(
    `with results as (
       select floor(extract(epoch from time) / $4) * $4 as at, count(*)::int8 as done,
         count(*) filter (where bin_reason = 'missed_deadline')::int8 as late,
         percentile_cont(array[0.5, 0.99]) within group (order by latency_ms) as latency,
         percentile_cont(0.5) within group (order by ${work}) as "workP50",
         percentile_cont(0.5) within group (order by greatest(latency_ms - (${work}), 0)) as "waitP50"
       from prediction_results where pipeline = $1 and time >= $2 and time < $3 group by 1),
     letters as (
       select floor(extract(epoch from last_at) / $4) * $4 as at, count(*)::int8 as failed
       from dead_letters where pipeline = $1 and last_at >= $2 and last_at < $3 group by 1)
     select at::float8 as at, coalesce(done, 0)::int8 as done, coalesce(failed, 0)::int8 as failed, coalesce(late, 0)::int8 as late,
       latency[1] as "latencyP50", latency[2] as "latencyP99", "workP50", "waitP50"
     from results full join letters using (at) order by at`,
    [pipeline, since, until, seconds],
  );
  return rows;
}

export interface BinCount {
  bin: string | null;
  reason: string | null;
  results: number;
}

/** Of results since then, the most frequent first. */
export async function countByBin(pool: Pool, pipeline: string, since: Date): Promise<BinCount[]> {
  const { rows } = await pool.query<BinCount>(
    `select bin, bin_reason as reason, count(*)::int8 as results from prediction_results
     where pipeline = $1 and time >= $2 group by 1, 2 order by results desc, bin`,
    [pipeline, since],
  );
  return rows;
}

export interface BeltActivity {
  /** Null: images without a belt. */
  belt: string | null;
  images: number;
  /** Unlike every class of the model; null where its model does not tell. */
  unknown: number | null;
  /** Beyond the deadline. */
  late: number;
  /** From capture to row, in milliseconds. */
  latencyP50: number | null;
  last: Date;
}

/** Of results since then, the busiest belts first, and how many more there are. */
export async function readBelts(
  pool: Pool,
  pipeline: string,
  since: Date,
  most: number,
): Promise<{ belts: BeltActivity[]; others: number }> {
  const { rows } = await pool.query<BeltActivity & { all: number }>(
    `select belt, count(*)::int8 as images,
       case when count(novelty) > 0 then count(*) filter (where novelty >= 1) end::int8 as unknown,
       count(*) filter (where bin_reason = 'missed_deadline')::int8 as late,
       percentile_cont(0.5) within group (order by latency_ms) as "latencyP50", max(time) as last,
       count(*) over ()::int8 as "all"
     from prediction_results where pipeline = $1 and time >= $2 group by belt order by images desc, belt limit $3`,
    [pipeline, since, most],
  );
  const belts = rows.map(({ all: _, ...belt }) => belt);
  return { belts, others: (rows[0]?.all ?? 0) - rows.length };
}

/** Belts of the latest results. */
export async function recentBelts(pool: Pool, pipeline: string, results: number): Promise<string[]> {
  const { rows } = await pool.query<{ belt: string }>(
    `select distinct belt from (
       select belt from prediction_results where pipeline = $1 order by time desc limit $2) as latest
     where belt is not null order by belt`,
    [pipeline, results],
  );
  return rows.map(({ belt }) => belt);
}

/** Whether the pipeline knows an image by this key in the configured store: nothing else of it is shown. */
export async function isKnownImage(pool: Pool, pipeline: string, key: string): Promise<boolean> {
  // In this order: the first two are found by an index.
  const { rowCount } = await pool.query(
    `select from image_info where image_key = $2
     union all select from prediction_results where pipeline = $1 and image_key = $2 and bucket is null
     union all select from dead_letters where pipeline = $1 and image_key = $2 limit 1`,
    [pipeline, key],
  );
  return rowCount === 1;
}
