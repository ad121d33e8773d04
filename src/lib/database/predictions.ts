/** Reads prediction_results for `results`. */
import type { Pool } from 'pg';
import type { Score } from '../classifier/classifier.ts';

export interface ResultFilter {
  pipeline: string;
  key?: string;
  category?: string;
  since?: Date;
  limit: number;
}

export interface ResultRow {
  imageKey: string;
  category: string;
  confidence: number;
  hostname: string;
  time: Date;
  model: string;
  modelVersion: string;
  latencyMs: number | null;
  partition: number;
  offset: number;
  requestId: string;
  top: Score[];
}

/** Latest first. */
export async function latestResults(pool: Pool, filter: ResultFilter): Promise<ResultRow[]> {
  const { rows } = await pool.query<ResultRow>(
    `select image_key as "imageKey", category, confidence, hostname, time, model, model_version as "modelVersion",
       latency_ms as "latencyMs", partition, "offset", request_id as "requestId", top
     from prediction_results
     where pipeline = $1 and ($2::text is null or image_key = $2) and ($3::text is null or category = $3)
       and ($4::timestamptz is null or time >= $4)
     order by time desc, id desc limit $5`,
    [filter.pipeline, filter.key ?? null, filter.category ?? null, filter.since ?? null, filter.limit],
  );
  return rows;
}
