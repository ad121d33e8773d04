/** One request: fetch, decode, preprocess, infer. Ends in an outcome to record, never in an exception for a bad image. */
import {
  faultCode,
  isRetryable,
  ObjectError,
  type VisionscaleError,
  ImageError,
} from '../../../base/errors.ts';
import type { ByteBudget, Load } from '../../../base/flow/load.ts';
import { retry } from '../../../base/flow/retry.ts';
import type { DeadLetter, Outcome } from '../../../systems/database/record/outcome.ts';
import type { TopicRecord } from '../../../systems/message/record.ts';
import type { Request } from '../../../systems/message/request.ts';
import type { GetOptions, ObjectStore } from '../../../systems/objects/store.ts';
import type { Models } from '../models.ts';
import type { ConsumeEvent } from '../options.ts';
import type { Waits } from '../partition/watchdog.ts';
import type { Guard } from './crash-guard.ts';
import type { InHand } from './in-hand.ts';
import type { Patience } from './patience.ts';

export interface RequestDeps {
  storeOf: StoreOf;
  models: Models;
  maxImageBytes: number;
  /** Shared by all partitions of the process. */
  budget: ByteBudget;
  load: Load;
  report: (event: ConsumeEvent) => void;
  waits: Waits;
  inHand: InHand;
  /** Every bucket has its own: rights and faults are its own too. */
  patienceOf: (bucket: string | null) => Patience;
  guard: Guard;
  /** Cuts fetching and classifying short: some seconds after the consumer was told to stop, or at once when the partition is lost. */
  hardStop: AbortSignal;
}

/** Opening a model takes about a second, and is no reason to say that the partition waits. */
const slowOpenMs = 2000;

/** Waits out what may pass (store away, access denied). Rejects only when `signal` cuts such a wait short. */
export async function answerRequest(
  record: TopicRecord,
  request: Request,
  deps: RequestDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const received = epochMs();
  const { load } = deps;
  const trial = deps.patienceOf(request.bucket).begin(request.imageKey, Date.now() - record.timestamp);
  const hand = deps.inHand.begin(request.imageKey);
  const modelFor = async (belt: string | null) => {
    let timer: NodeJS.Timeout | undefined;
    const onOpen = (reason: string) => {
      hand.at('waiting');
      timer = setTimeout(() => deps.waits.set(hand, reason), slowOpenMs);
    };
    try {
      return await deps.models.lend(belt, { signal: deps.hardStop, onOpen });
    } finally {
      clearTimeout(timer);
      deps.waits.clear(hand);
    }
  };
  // One attempt is fetch and classify together: the classifier takes over the image's memory.
  const attempt = async (): Promise<Outcome> => {
    let held = 0;
    const admit = async (bytes: number) => {
      await deps.budget.take(bytes, deps.hardStop);
      held = bytes;
      load.bytes += bytes;
    };
    try {
      // Before the image is fetched, so that none lies in memory until its model is open.
      using lent = await modelFor(request.belt);
      hand.at('fetching');
      const fetching = epochMs();
      const { maxImageBytes: maxBytes, hardStop, storeOf } = deps;
      const image = await imageOf(request, storeOf, { maxBytes, signal: hardStop, admit });
      // What the message brings says nothing about the store.
      if (request.inline === null) trial.fetched();
      const fetched = request.inline === null ? epochMs() : fetching;
      hand.at('classifying');
      const classification = await deps.guard(request.id, () => lent.classifier.classify(image, hardStop));
      const times = { received, fetching, fetched, classified: epochMs() };
      const fetchMs = fetched - fetching;
      return { kind: 'prediction', record, request, classification, fetchMs, times };
    } catch (error) {
      hand.at('waiting');
      if (!(await trial.isFinal(error))) throw error;
      const { code, message } = error as VisionscaleError;
      const stage = error instanceof ObjectError ? 'fetch' : 'classify';
      return deadLetter(record, { ...request, requestId: request.id }, stage, code, message);
    } finally {
      if (held > 0) deps.budget.give(held);
      load.bytes -= held;
    }
  };
  load.requests++;
  try {
    return await deps.waits.during((onWait) =>
      retry(attempt, {
        signal,
        // What comes out here is not final, so an answer of the store is tried again whatever it is.
        shouldRetry: (error) => error instanceof ObjectError || isRetryable(error),
        // An object that is a little late is no reason to say that the partition waits.
        onWait: (error) => {
          const stage = error instanceof ObjectError ? 'fetch' : 'classify';
          deps.report({ kind: 'retrying', partition: record.partition, stage, code: faultCode(error) });
          if (!(error instanceof ObjectError && error.code === 'not_found')) onWait(error);
        },
      }),
    );
  } finally {
    load.requests--;
    trial.end();
    hand.end();
  }
}

/** Of what was asked for, what a dead letter keeps. */
type Failed = Pick<DeadLetter, 'requestId' | 'imageKey' | 'belt' | 'traceparent'>;

export function deadLetter(
  record: TopicRecord,
  { requestId, imageKey, belt, traceparent }: Failed,
  stage: DeadLetter['stage'],
  code: string,
  message: string,
): DeadLetter {
  return {
    kind: 'dead letter',
    record,
    requestId,
    imageKey,
    stage,
    code,
    message,
    belt: belt ?? null,
    traceparent: traceparent ?? null,
  };
}

// Where the bytes of a requested image come from: the message itself, the store, or another bucket.

/** The store of a bucket; null is the configured store. */
export type StoreOf = (bucket: string | null) => Promise<ObjectStore>;

/** In memory of its own, for the classifier takes it over. Throws an ImageError or the store's errors. */
async function imageOf(
  { imageKey, bucket, inline }: Request,
  storeOf: StoreOf,
  options: GetOptions,
): Promise<Uint8Array> {
  if (inline === null) return (await storeOf(bucket)).get(imageKey, options);
  if (inline.length > options.maxBytes) {
    throw new ImageError(`the image has ${inline.length} bytes, more than the ${options.maxBytes} allowed`, {
      code: 'too_large',
    });
  }
  await options.admit?.(inline.length);
  return new Uint8Array(inline);
}

/** Milliseconds since the epoch: by the wall clock, but finer than a millisecond and never going back. */
export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
