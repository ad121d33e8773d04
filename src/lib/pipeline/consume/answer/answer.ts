/** One record: what it asks for, answered. Ends in outcomes to record, never in an exception for bad input. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { forEachConcurrently } from '../../../base/flow/for-each.ts';
import type { Outcome } from '../../../systems/database/record/outcome.ts';
import { parseMessage } from '../../../systems/message/parse.ts';
import { header, type TopicRecord } from '../../../systems/message/record.ts';
import { type Request, maxRequestIdBytes } from '../../../systems/message/request.ts';
import { retryNumber } from '../../../systems/message/retry.ts';
import type { MessageRules } from '../../../systems/message/rules.ts';
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

/** Bytes of JSON that are parsed in no time. A megabyte of it may take a tenth of a second. */
const quicklyParsed = 32 * 1024;
/** Of one message that asks for many images, those that are worked on at once. */
const requestsAtOnce = 16;

/** Waits out what may pass (store away, access denied). Rejects only when `signal` cuts such a wait short. */
export async function answerRecord(
  record: TopicRecord,
  deps: AnswerDeps,
  signal: AbortSignal,
): Promise<Answered> {
  if ((record.value?.length ?? 0) > quicklyParsed) await turnOfItsOwn();
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
  await forEachConcurrently(requests.entries(), requestsAtOnce, async ([nth, request]) => {
    outcomes[nth] = await answerRequest(own(record, request), request, deps, signal);
  });
  return outcomes;
}

let turn: Promise<unknown> = Promise.resolve();

/** Large messages of all partitions take a turn of the event loop each, so that leases are renewed between them. */
function turnOfItsOwn(): Promise<unknown> {
  return (turn = turn.then(() => nextTurn()));
}

/** A message of many as it would be if it asked for one thing alone: what a dead letter keeps, and a retry sends once more. */
export function own(record: TopicRecord, { alone }: Pick<Request, 'alone'>): TopicRecord {
  return alone === null ? record : { ...record, key: null, value: alone, headers: ofParts(record.headers) };
}

/** What holds for every part of a message. The rest, which may be large, is not kept a thousand times. */
function ofParts(headers: Record<string, string>): Record<string, string> {
  const names = retryNumber(headers) === null ? told : [...told, header.requestId, header.retry];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers[name];
      return value !== undefined && value.length <= longestTold ? [[name, value]] : [];
    }),
  );
}

const told = [header.capturedAt, header.belt, header.traceparent];
/** No longer one of them counts. */
const longestTold = maxRequestIdBytes;
