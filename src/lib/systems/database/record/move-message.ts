/** Writes the dead letter of a message that somebody moves out of the way, and the position behind it. */
import type { Pool, PoolClient } from 'pg';
import { VisionscaleError } from '../../../base/errors.ts';
import { messageId, retryNumber } from '../../message/retry.ts';
import type { PartitionId } from '../tables/owners.ts';
import { withTransaction } from '../transaction.ts';
import { insertLetters, noteFailures } from './outcome-rows.ts';
import type { DeadLetter } from './outcome.ts';
import { withoutForgedRetries } from './retry-claims.ts';
import { lockRequests, settle } from './settle.ts';

/** The code of the dead letters of this kind. */
export const movedByHand = 'moved_by_hand';

export interface Move {
  letter: DeadLetter;
  /** Where the partition stands where no position is recorded. */
  start: number;
  /** Between this offset and the message there is no other one. */
  nextFrom: number;
  hostname: string;
  /** Into the outbox too. */
  publish: boolean;
}

export interface Moved {
  /** Of the letter: what only says that it retries another one has its place for an id. */
  requestId: string;
  /** The id of the request's dead letter; null where the request has a prediction already. */
  letter: number | null;
  /** Whether it was not there before. */
  isNew: boolean;
  /** Where the partition goes on. Before the message's offset: what is before it comes first. */
  position: number;
  /** The owner of the partition, which passes over the message; null where nobody owns it. */
  owner: string | null;
}

/**
 * Its owner, if there is one, cannot record meanwhile: the position and the order in the outbox stay its own. Throws
 * `already_recorded`.
 */
export async function moveMessage(pool: Pool, id: PartitionId, move: Move): Promise<Moved> {
  const { start, nextFrom } = move;
  const { record } = move.letter;
  const key = [id.pipeline, id.topic, id.partition];
  return withTransaction(pool, async (client) => {
    const owner = await lockOwner(client, key);
    const { outcomes, retries } = await withoutForgedRetries(client, id.pipeline, {
      outcomes: [move.letter],
      retries: retryNumber(record.headers) === null ? [] : [record],
    });
    const [letter] = outcomes as [DeadLetter];
    const { requestId } = letter;
    const letters = await lockRequests(client, id.pipeline, {
      requestIds: [requestId],
      messageIds: [messageId(letter.record)],
      retriedIds: retries.map(messageId),
    });
    const { rows: positions } = await client.query<{ next: number }>(
      'select next_offset as next from positions where pipeline = $1 and topic = $2 and partition = $3 for update',
      key,
    );
    const position = positions[0]?.next ?? start;
    if (position > record.offset) throw alreadyRecorded(id, record.offset, position);

    const { newLetters, failedAgain } = settle([letter], letters);
    const by = { ...id, hostname: move.hostname, publish: move.publish };
    const inserted = await insertLetters(client, by, newLetters);
    await noteFailures(client, by, failedAgain);
    const isNext = position === record.offset || position >= nextFrom;
    if (isNext) {
      await client.query(
        `insert into positions as p (pipeline, topic, partition, next_offset, last_offset, last_timestamp_ms, dead_lettered)
         values ($1, $2, $3, $4::int8 + 1, $4, $5, $6)
         on conflict (pipeline, topic, partition) do update set
           next_offset = excluded.next_offset, last_offset = excluded.last_offset,
           last_timestamp_ms = excluded.last_timestamp_ms, updated_at = clock_timestamp(),
           dead_lettered = p.dead_lettered + excluded.dead_lettered`,
        [...key, record.offset, record.timestamp, inserted],
      );
    }
    const { rows } = await client.query<{ id: number }>(
      'select id from dead_letters where pipeline = $1 and request_id = $2',
      [id.pipeline, requestId],
    );
    return {
      requestId,
      letter: rows[0]?.id ?? null,
      isNew: inserted > 0,
      position: isNext ? record.offset + 1 : position,
      owner,
    };
  });
}

/** Holds off what the owner would record, a moment; a lease that is over has no owner. */
async function lockOwner(client: PoolClient, key: unknown[]): Promise<string | null> {
  const { rows } = await client.query<{ owner: string | null }>(
    `select case when expires_at > clock_timestamp() then owner end as owner from owners
     where pipeline = $1 and topic = $2 and partition = $3 for update`,
    key,
  );
  return rows[0]?.owner ?? null;
}

/** Whether the message with this request id, or known by it as a whole, was moved before its consumer came to it. */
export async function wasMoved(pool: Pool, pipeline: string, requestId: string): Promise<boolean> {
  const { rowCount } = await pool.query(
    `select from dead_letters where pipeline = $1 and request_id = $2 and code = $3 and state <> 'resolved'`,
    [pipeline, requestId, movedByHand],
  );
  return rowCount === 1;
}

export function alreadyRecorded(id: PartitionId, offset: number, position: number): VisionscaleError {
  return new VisionscaleError(
    `message ${id.topic}/${id.partition}/${offset} is already recorded: the pipeline ${id.pipeline} is at offset ${position} there`,
    {
      code: 'already_recorded',
      hint: 'visionscale results and visionscale dead-letters list show what became of it.',
    },
  );
}
