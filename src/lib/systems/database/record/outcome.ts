/** What becomes of a request: a prediction, or a dead letter. */
import type { Classification } from '../../../base/classification.ts';
import type { TopicRecord } from '../../message/record.ts';
import type { Request } from '../../message/request.ts';
import type { ActiveBins } from '../tables/bins.ts';

export interface Prediction {
  kind: 'prediction';
  record: TopicRecord;
  request: Request;
  classification: Classification;
  fetchMs: number;
  times: WorkTimes;
}

/** When what was done for a prediction, by this host's clock, in milliseconds since the epoch. */
export interface WorkTimes {
  /** Taken from the topic. */
  received: number;
  /** Of the attempt that succeeded: the image asked for, there, and classified. */
  fetching: number;
  fetched: number;
  classified: number;
}

export interface DeadLetter {
  kind: 'dead letter';
  record: TopicRecord;
  requestId: string;
  imageKey: string | null;
  stage: 'read' | 'fetch' | 'classify' | 'record';
  code: string;
  message: string;
  /** Of the request, where the message could be read. */
  belt?: string | null;
  traceparent?: string | null;
}

export type Outcome = Prediction | DeadLetter;

/** What becomes of an outcome beyond its row. */
export interface Sorting {
  bins: ActiveBins;
  /** From capture to row, in milliseconds: what takes longer goes to the manual bin; null: no deadline. */
  deadlineMs: number | null;
  /** Into the outbox too, from where it goes to the topics of results and dead letters. */
  publish: boolean;
}

/** A row that was new. */
export interface NewPrediction {
  requestId: string;
  belt: string | null;
  bin: string | null;
  /** Why it is this bin; null where the pipeline has no bins. */
  binReason: string | null;
  /** From capture, else from the message's timestamp, to the row. */
  latencyMs: number | null;
}

export function requestIdOf(outcome: Outcome): string {
  return outcome.kind === 'prediction' ? outcome.request.id : outcome.requestId;
}
