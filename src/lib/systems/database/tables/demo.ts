/** What `demo` asks the database about its own images. */
import type { Pool } from 'pg';

/** The present rounds of these images, for their request ids. */
export async function roundsOf(
  pool: Pool,
  keys: readonly string[],
): Promise<{ key: string; round: number }[]> {
  const { rows } = await pool.query<{ key: string; round: number }>(
    'select image_key as key, round from image_info where image_key = any($1)',
    [keys],
  );
  return rows;
}

export interface CategoryCount {
  category: string;
  images: number;
  /** Mean, in percent. */
  confidence: number;
}

export interface OutcomeSummary {
  predictions: number;
  deadLetters: number;
  /** From the first key sent to the last row. */
  seconds: number;
  latencyMs: { p50: number | null; p99: number | null };
  firstPredictionAt: Date | null;
  /** Most frequent first. */
  categories: CategoryCount[];
}

/** What has come of these requests. */
export async function summarize(
  pool: Pool,
  pipeline: string,
  requestIds: readonly string[],
): Promise<OutcomeSummary> {
  const parameters = [pipeline, requestIds];
  const figures = await pool.query<
    Omit<OutcomeSummary, 'latencyMs' | 'categories'> & { p50: number | null; p99: number | null }
  >(
    `select count(*)::int as predictions,
       (select count(*)::int from dead_letters where pipeline = $1 and request_id = any($2)) as "deadLetters",
       coalesce(extract(epoch from max(time) - least(min(captured_at), min(time))), 0)::float8 as seconds,
       percentile_cont(0.5) within group (order by latency_ms) as p50,
       percentile_cont(0.99) within group (order by latency_ms) as p99,
       min(time) as "firstPredictionAt"
     from prediction_results where pipeline = $1 and request_id = any($2)`,
    parameters,
  );
  const categories = await pool.query<CategoryCount>(
    `select category, count(*)::int as images, avg(confidence)::float8 as confidence
     from prediction_results where pipeline = $1 and request_id = any($2)
     group by category order by images desc, confidence desc`,
    parameters,
  );
  const { p50, p99, ...rest } = figures.rows[0]!;
  return { ...rest, latencyMs: { p50, p99 }, categories: categories.rows };
}

export interface DemoAnswer {
  imageKey: string;
  category: string;
  /** In percent. */
  confidence: number;
  novelty: number | null;
}

/** The prediction for each of these requests, by image key. */
export async function answersTo(
  pool: Pool,
  pipeline: string,
  requestIds: readonly string[],
): Promise<DemoAnswer[]> {
  const { rows } = await pool.query<DemoAnswer>(
    `select image_key as "imageKey", category, confidence::float8 as confidence, novelty
     from prediction_results where pipeline = $1 and request_id = any($2) order by image_key`,
    [pipeline, requestIds],
  );
  return rows;
}
