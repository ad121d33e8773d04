/** One record: read, fetch, decode, preprocess, infer. Ends in outcomes to record, never in an exception for bad input. */
import type { Classifier } from '../classifier/classifier.ts';
import type { DeadLetter, Outcome } from '../database/record.ts';
import { isRetryable, ObjectError, VisionscaleError } from '../errors.ts';
import { parseMessage } from '../message/parse.ts';
import type { Request } from '../message/request.ts';
import type { ObjectStore } from '../objects/store.ts';
import { retry } from '../retry.ts';
import type { TopicRecord } from '../topic/topic.ts';
import type { Waits } from './waits.ts';

export interface AnswerDeps {
  store: ObjectStore;
  classifier: Classifier;
  maxImageBytes: number;
  waits: Waits;
  /** Cuts a fetch short: some seconds after the consumer was told to stop, or at once when the partition is lost. */
  hardStop: AbortSignal;
}

export interface Answered {
  record: TopicRecord;
  outcomes: Outcome[];
}

/** Waits out what may pass (store away, access denied). Rejects only when `signal` cuts such a wait short. */
export async function answer(record: TopicRecord, deps: AnswerDeps, signal: AbortSignal): Promise<Answered> {
  const message = parseMessage(record);
  switch (message.kind) {
    case 'unreadable': {
      const { requestId, code, reason } = message;
      return {
        record,
        outcomes: [deadLetter(record, { id: requestId, imageKey: null }, 'read', code, reason)],
      };
    }
    case 'requests':
      return {
        record,
        outcomes: await Promise.all(
          message.requests.map((request) => answerRequest(record, request, deps, signal)),
        ),
      };
  }
}

async function answerRequest(
  record: TopicRecord,
  request: Request,
  deps: AnswerDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const { store, classifier, waits } = deps;
  // One attempt is fetch and classify together: the classifier takes over the image's memory.
  const attempt = async (): Promise<Outcome> => {
    const began = performance.now();
    const image = await store.get(request.imageKey, { maxBytes: deps.maxImageBytes, signal: deps.hardStop });
    const fetchMs = performance.now() - began;
    const classification = await classifier.classify(image);
    return { kind: 'prediction', record, request, classification, fetchMs };
  };
  try {
    return await waits.during((onWait) => retry(attempt, { signal, shouldRetry: mayPass, onWait }));
  } catch (error) {
    if (error instanceof ObjectError && !mayPass(error)) {
      return deadLetter(record, request, 'fetch', error.code, error.message);
    }
    if (error instanceof VisionscaleError && !(error instanceof ObjectError) && !isRetryable(error)) {
      return deadLetter(record, request, 'classify', error.code, error.message);
    }
    throw error;
  }
}

/**
 * Only what says something about this one object is final. Where listing is not allowed S3 answers 403 for a missing
 * key, and a wrong credential or bucket is not the image's fault: wait, and say so.
 */
function mayPass(error: unknown): boolean {
  if (error instanceof ObjectError) return !['not_found', 'too_large', 'bad_key'].includes(error.code);
  return isRetryable(error);
}

function deadLetter(
  record: TopicRecord,
  request: { id: string; imageKey: string | null },
  stage: DeadLetter['stage'],
  code: string,
  message: string,
): DeadLetter {
  return {
    kind: 'dead letter',
    record,
    requestId: request.id,
    imageKey: request.imageKey,
    stage,
    code,
    message,
  };
}
