/** One record: read, fetch, decode, preprocess, infer. Ends in outcomes to record, never in an exception for bad input. */
import type { Classifier } from '../classifier/classifier.ts';
import type { DeadLetter, Outcome } from '../database/record.ts';
import { isRetryable, ObjectError, type VisionscaleError } from '../errors.ts';
import { parseMessage } from '../message/parse.ts';
import type { Request } from '../message/request.ts';
import type { ObjectStore } from '../objects/store.ts';
import { retry } from '../retry.ts';
import type { TopicRecord } from '../topic/topic.ts';
import type { Guard } from './crash-guard.ts';
import type { ByteBudget } from './byte-budget.ts';
import type { InHand } from './in-hand.ts';
import type { Patience } from './patience.ts';
import type { Waits } from './waits.ts';

export interface AnswerDeps {
  store: ObjectStore;
  classifier: Classifier;
  maxImageBytes: number;
  /** Shared by all partitions of the process. */
  budget: ByteBudget;
  waits: Waits;
  inHand: InHand;
  patience: Patience;
  guard: Guard;
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
  const trial = deps.patience.begin(request.imageKey, Date.now() - record.timestamp);
  const hand = deps.inHand.begin(request.imageKey);
  // One attempt is fetch and classify together: the classifier takes over the image's memory.
  const attempt = async (): Promise<Outcome> => {
    let held = 0;
    const admit = async (bytes: number) => {
      await deps.budget.take(bytes, deps.hardStop);
      held = bytes;
    };
    try {
      hand.at('fetching');
      const began = performance.now();
      const { maxImageBytes: maxBytes, hardStop } = deps;
      const image = await deps.store.get(request.imageKey, { maxBytes, signal: hardStop, admit });
      trial.fetched();
      const fetchMs = performance.now() - began;
      hand.at('classifying');
      const classification = await deps.guard(request.id, () => deps.classifier.classify(image));
      return { kind: 'prediction', record, request, classification, fetchMs };
    } catch (error) {
      hand.at('waiting');
      if (!(await trial.isFinal(error))) throw error;
      const { code, message } = error as VisionscaleError;
      return deadLetter(record, request, error instanceof ObjectError ? 'fetch' : 'classify', code, message);
    } finally {
      if (held > 0) deps.budget.give(held);
    }
  };
  try {
    return await deps.waits.during((onWait) =>
      retry(attempt, {
        signal,
        // What comes out here is not final, so an answer of the store is tried again whatever it is.
        shouldRetry: (error) => error instanceof ObjectError || isRetryable(error),
        // An object that is a little late is no reason to say that the partition waits.
        onWait: (error) => {
          if (!(error instanceof ObjectError && error.code === 'not_found')) onWait(error);
        },
      }),
    );
  } finally {
    trial.end();
    hand.end();
  }
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
