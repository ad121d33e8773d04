/** One record: what it asks for, answered. Ends in outcomes to record, never in an exception for bad input. */
import type { Outcome } from '../database/record.ts';
import { parseMessage } from '../message/parse.ts';
import type { Request } from '../message/request.ts';
import type { MessageRules } from '../message/rules.ts';
import type { TopicRecord } from '../topic/topic.ts';
import { forEachConcurrently } from '../upload/for-each.ts';
import { answerRequest, deadLetter, type RequestDeps } from './answer-request.ts';

export interface AnswerDeps extends RequestDeps {
  rules: MessageRules;
}

export interface Answered {
  record: TopicRecord;
  outcomes: Outcome[];
  /** How much of the message asks for nothing. */
  ignored: number;
}

/** Of one message that asks for many images, those that are worked on at once. */
const requestsAtOnce = 16;

/** Waits out what may pass (store away, access denied). Rejects only when `signal` cuts such a wait short. */
export async function answer(record: TopicRecord, deps: AnswerDeps, signal: AbortSignal): Promise<Answered> {
  const message = parseMessage(record, deps.rules);
  switch (message.kind) {
    case 'unreadable': {
      const { code, reason } = message;
      const letter = deadLetter(record, { ...message, imageKey: null }, 'read', code, reason);
      return { record, outcomes: [letter], ignored: 0 };
    }
    case 'ignored':
      return { record, outcomes: [], ignored: message.events };
    case 'requests': {
      const { requests, refused, ignored } = message;
      const letters = refused.map((one) => deadLetter(own(record, one), one, 'read', one.code, one.reason));
      return {
        record,
        outcomes: [...letters, ...(await answerAll(record, requests, deps, signal))],
        ignored,
      };
    }
  }
}

async function answerAll(
  record: TopicRecord,
  requests: readonly Request[],
  deps: AnswerDeps,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const [first] = requests;
  if (first !== undefined && requests.length === 1) {
    return [await answerRequest(own(record, first), first, deps, signal)];
  }
  const outcomes = Array<Outcome>(requests.length);
  await forEachConcurrently(numbered(requests), requestsAtOnce, async ([nth, request]) => {
    outcomes[nth] = await answerRequest(own(record, request), request, deps, signal);
  });
  return outcomes;
}

/** The record as it would be if it asked for this alone: what a dead letter keeps, and a retry sends once more. */
function own(record: TopicRecord, { alone }: Pick<Request, 'alone'>): TopicRecord {
  return alone === null ? record : { ...record, value: alone };
}

// eslint-disable-next-line @typescript-eslint/require-await -- a source is asynchronous
async function* numbered<T>(items: readonly T[]): AsyncGenerator<[number, T]> {
  yield* items.entries();
}
