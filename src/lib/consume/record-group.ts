/** Records a group; where PostgreSQL refuses what one message brings, that one becomes a dead letter and the rest is kept. */
import type { Pool } from 'pg';
import { databaseCode } from '../database/database-error.ts';
import type { Lease } from '../database/owners.ts';
import { type DeadLetter, type Outcome, record, type Recorded, type Recording } from '../database/record.ts';
import { errorMessage, isRetryable } from '../errors.ts';
import { requestIdOf } from '../database/settle.ts';
import { header } from '../message/headers.ts';
import { positionRequestId } from '../message/request.ts';
import { retryNumber } from '../message/retry.ts';
import type { Answered } from './answer.ts';

export interface GroupRecorded extends Recorded {
  /** Those that were in the group, and those that it took to record it. */
  deadLetters: DeadLetter[];
}

/** Throws OwnershipLostError, and what is not the messages' fault. */
export async function recordGroup(
  pool: Pool,
  lease: Lease,
  by: Pick<Recording, 'hostname' | 'sorting'>,
  group: readonly Answered[],
): Promise<GroupRecorded> {
  const outcomes = group.flatMap((answered) => answered.outcomes);
  const ignored = group.reduce((sum, answered) => sum + answered.ignored, 0);
  try {
    const recorded = await record(pool, lease, { outcomes, ignored, last: group.at(-1)!.record, ...by });
    return { ...recorded, deadLetters: outcomes.filter((outcome) => outcome.kind === 'dead letter') };
  } catch (error) {
    if (!isDataFault(error)) throw error;
    if (group.length === 1) {
      if (outcomes.length === 0) throw error;
      const letters = notRecordable(outcomes, error);
      const last = group[0]!.record;
      const recorded = await record(pool, lease, { outcomes: letters, ignored, last, ...by });
      return { ...recorded, deadLetters: letters };
    }
    const middle = Math.ceil(group.length / 2);
    const before = await recordGroup(pool, lease, by, group.slice(0, middle));
    const after = await recordGroup(pool, lease, by, group.slice(middle));
    return {
      predicted: before.predicted + after.predicted,
      deadLettered: before.deadLettered + after.deadLettered,
      deadLetters: [...before.deadLetters, ...after.deadLetters],
      predictions: [...before.predictions, ...after.predictions],
      ignored: before.ignored + after.ignored,
    };
  }
}

/** SQLSTATE classes 22 (data exception), 23 (constraint), 54 (a limit of the server). */
function isDataFault(error: unknown): boolean {
  return !isRetryable(error) && /^(22|23|54)...$/.test(databaseCode(error) ?? '');
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
      record: { ...record, headers: retried === null ? {} : { [header.retry]: `${retried}` } },
      requestId: retried === null ? own : requestIdOf(outcome),
      imageKey: null,
      stage: 'record',
      code: 'not_recordable',
      message: `the database refused the outcome: ${errorMessage(error)}`.slice(0, 1000),
    };
  });
}
