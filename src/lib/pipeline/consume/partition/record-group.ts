/** Records a group; where PostgreSQL refuses what one message brings, that one becomes a dead letter and the rest is kept. */
import type { Pool } from 'pg';
import { errorMessage, isRetryable } from '../../../base/errors.ts';
import { retry, type RetryOptions } from '../../../base/flow/retry.ts';
import { databaseCode } from '../../../systems/database/database-error.ts';
import type { DeadLetter, Outcome } from '../../../systems/database/record/outcome.ts';
import { requestIdOf } from '../../../systems/database/record/outcome.ts';
import { record, type Recorded, type Recording } from '../../../systems/database/record/record.ts';
import type { Lease } from '../../../systems/database/tables/owners.ts';
import { header } from '../../../systems/message/record.ts';
import { positionRequestId } from '../../../systems/message/request.ts';
import { retryNumber, wholeLetterId } from '../../../systems/message/retry.ts';
import type { Answered } from '../answer/answer.ts';

export interface GroupRecorded extends Recorded {
  /** Those that were in the group, and those that it took to record it. */
  deadLetters: DeadLetter[];
}

type Waiting = Pick<RetryOptions, 'signal' | 'onWait'>;

/** Most outcomes of a transaction, unless one message alone has more. */
const mostOutcomes = 2000;
/** So often a message is tried alone before a server without memory for it counts as its own fault: some six seconds. */
const attemptsAlone = 8;

/**
 * What it returns records the group and, called again after an error that may pass, goes on behind what is recorded. It
 * throws OwnershipLostError, and what is not the messages' fault.
 */
export function groupRecorder(
  pool: Pool,
  lease: Lease,
  by: Pick<Recording, 'hostname' | 'sorting'>,
  group: readonly Answered[],
  /** Asked at every call: what has been passed over since the group was answered. */
  settled: (answered: Answered) => Answered,
): (waiting: Waiting) => Promise<GroupRecorded> {
  const sum: GroupRecorded = { predicted: 0, deadLettered: 0, ignored: 0, predictions: [], deadLetters: [] };
  let left = group;
  let most = group.length;

  /** All of `some` in one transaction. */
  const recordAll = async (some: readonly Answered[]): Promise<void> => {
    const outcomes = some.flatMap((answered) => answered.outcomes);
    const ignored = some.reduce((total, answered) => total + answered.ignored, 0);
    const records = some.map((answered) => answered.record);
    // What was passed over was moved by hand, and brings nothing.
    const retries = some
      .filter((answered) => answered.outcomes.length > 0 || answered.ignored > 0)
      .map((answered) => answered.record)
      .filter(({ headers }) => retryNumber(headers) !== null);
    const recorded = await record(pool, lease, { outcomes, ignored, retries, last: records.at(-1)!, ...by });
    left = left.slice(some.length);
    sum.predicted += recorded.predicted;
    sum.deadLettered += recorded.deadLettered;
    sum.ignored += recorded.ignored;
    sum.predictions.push(...recorded.predictions);
    sum.deadLetters.push(...outcomes.filter((outcome) => outcome.kind === 'dead letter'));
  };

  /** As one dead letter for each of its requests, or one for all of it where the database takes no more. */
  const recordAlone = async (alone: Answered, first: unknown, { signal, onWait }: Waiting): Promise<void> => {
    let fault = first;
    if (isOutOfMemory(fault)) {
      const patience = { signal, shouldRetry: isOutOfMemory, attempts: attemptsAlone };
      try {
        return await retry(() => recordAll([alone]), { ...patience, ...(onWait && { onWait }) });
      } catch (error) {
        fault = error;
      }
    }
    if (signal.aborted || alone.outcomes.length === 0 || !isMessagesFault(fault)) throw fault;
    const letters = notRecordable(alone.outcomes, fault);
    try {
      return await recordAll([{ ...alone, outcomes: letters }]);
    } catch (error) {
      if (letters.length === 1 || !isMessagesFault(error)) throw error;
      const whole = { ...letters[0]!, record: alone.record, requestId: wholeLetterId(alone.record) };
      await recordAll([{ ...alone, outcomes: [whole] }]);
    }
  };

  return async (waiting) => {
    left = left.map(settled);
    while (left.length > 0) {
      const some = fitting(left.slice(0, most));
      try {
        await recordAll(some);
        most *= 2;
      } catch (error) {
        if (!isMessagesFault(error)) throw error;
        if (some.length === 1) await recordAlone(some[0]!, error, waiting);
        else most = Math.ceil(some.length / 2);
      }
    }
    return sum;
  };
}

/** As many from the front as one transaction takes; one at least. */
function fitting(group: readonly Answered[]): readonly Answered[] {
  let outcomes = 0;
  const end = group.findIndex((answered, nth) => {
    outcomes += answered.outcomes.length;
    return nth > 0 && outcomes > mostOutcomes;
  });
  return end === -1 ? group : group.slice(0, end);
}

/** SQLSTATE classes 22 (data exception), 23 (constraint), 54 (a limit of the server), and no memory for so much. */
function isMessagesFault(error: unknown): boolean {
  const code = databaseCode(error) ?? '';
  return isOutOfMemory(error) || (!isRetryable(error) && /^(22|23|54)...$/.test(code));
}

/** Also of the memory for locks; it may pass, and it may be what one message asks for. */
function isOutOfMemory(error: unknown): boolean {
  return databaseCode(error) === '53200';
}

/**
 * Nothing of the message goes into text: its place names it, and its bytes are kept as bytes. A retry keeps the request
 * id, which the database has taken before: it is the same dead letter once more.
 */
function notRecordable(outcomes: readonly Outcome[], error: unknown): DeadLetter[] {
  return outcomes.map((outcome, nth) => {
    const { record } = outcome;
    const retried = retryNumber(record.headers);
    const place = positionRequestId(record.topic, record.partition, record.offset, record.timestamp);
    const own = outcomes.length === 1 ? place : `${place}#${nth}`;
    return {
      kind: 'dead letter',
      record: { ...record, headers: retried === null ? {} : retryHeaders(record.headers) },
      requestId: retried === null ? own : requestIdOf(outcome),
      imageKey: null,
      stage: 'record',
      code: 'not_recordable',
      message: `the database refused the outcome: ${errorMessage(error)}`.slice(0, 1000),
    };
  });
}

/** What makes a message the retry of a dead letter. */
function retryHeaders(headers: Record<string, string>): Record<string, string> {
  const kept = [header.requestId, header.retry] as string[];
  return Object.fromEntries(Object.entries(headers).filter(([name]) => kept.includes(name)));
}
