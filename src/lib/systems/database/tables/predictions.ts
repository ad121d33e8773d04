/** Reads prediction_results for `results`. */
import type { Pool } from 'pg';
import type { Score } from '../../../base/classification.ts';

export interface ResultFilter {
  pipeline: string;
  key?: string;
  category?: string;
  bin?: string;
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
  /** Null where the pipeline had no bins. */
  bin: string | null;
  binReason: string | null;
  binVersion: number | null;
  belt: string | null;
}

/** Latest first. */
export async function latestResults(pool: Pool, filter: ResultFilter): Promise<ResultRow[]> {
  const { rows } = await pool.query<ResultRow>(
    `select image_key as "imageKey", category, confidence, hostname, time, model, model_version as "modelVersion",
       latency_ms as "latencyMs", partition, "offset", request_id as "requestId", top,
       bin, bin_reason as "binReason", bin_version as "binVersion", belt
     from prediction_results
     where pipeline = $1 and ($2::text is null or image_key = $2) and ($3::text is null or category = $3)
       and ($4::timestamptz is null or time >= $4) and ($6::text is null or bin = $6)
     order by time desc, id desc limit $5`,
    [
      filter.pipeline,
      filter.key ?? null,
      filter.category ?? null,
      filter.since ?? null,
      filter.limit,
      filter.bin ?? null,
    ],
  );
  return rows;
}
