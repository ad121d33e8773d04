/** What verbs answer with, and what a result is, also for programs that import the library: this file needs no package. */
import type { Score } from './classification.ts';

export interface UploadResult {
  uploaded: number;
  /** Of the uploaded: those whose key held another image before. */
  replaced: number;
  skipped: number;
  rejected: { path: string; reason: string }[];
  /** Files that are not images by name, and how many there are of each kind. */
  passedOver: number;
  passedOverKinds: Record<string, number>;
  /** Of what was uploaded. */
  bytes: number;
  seconds: number;
  /** In a dry run only. */
  wouldUpload?: number;
  interrupted: boolean;
}

export interface ProduceResult {
  produced: number;
  topic: string;
  /** Keys by partition. */
  partitions: number[];
  /** Of all images, before this run. */
  images: number;
  /** Keys that this round still has to bring. */
  left: number;
  seconds: number;
}

export interface ConsumeResult {
  predicted: number;
  deadLettered: number;
  /** What asked for nothing: test and delete events of an object store. */
  ignored: number;
  seconds: number;
  imagesPerSecond: number;
  /** Mean time to decode, prepare and classify one image, in milliseconds; null where there was none. */
  classifyMs: number | null;
}

/** A prediction as other programs see it, here and in the results topic. Times are ISO 8601 in UTC; confidence in percent. */
export interface Result {
  /** The request id. */
  id: string;
  imageKey: string;
  category: string;
  confidence: number;
  top: Score[];
  /** How unlike everything the model was trained on; 1 or more: unknown. Null where the model does not tell. */
  novelty: number | null;
  bin: string | null;
  binReason: string | null;
  binVersion: number | null;
  model: { name: string; version: string; digest: string };
  /** From capture to the row, in milliseconds. */
  latencyMs: number | null;
  capturedAt: string | null;
  processedAt: string;
  belt: string | null;
  hostname: string;
  pipeline: string;
  traceparent: string | null;
}

/** Why a request can never become a prediction. */
export interface FailedRequest {
  code: string;
  message: string;
  stage: string;
  /** ISO 8601. */
  at: string;
}

export type RequestOutcome =
  | { kind: 'result'; id: string; imageKey: string; result: Result }
  | { kind: 'failure'; id: string; imageKey: string | null; failure: FailedRequest };

/** A prediction as other programs see it, and the message that asked for it. */
export interface ResultRow extends Result {
  partition: number;
  offset: number;
}
