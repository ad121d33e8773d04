/** The recording transaction: rows or dead letters, the position and the check of ownership, all or nothing. */
import type { Pool, PoolClient } from 'pg';
import { VisionscaleError } from '../errors.ts';
import type { Classification } from '../classifier/classifier.ts';
import type { Request } from '../message/request.ts';
import type { TopicRecord } from '../topic/topic.ts';
import { lockRequests } from './lock-requests.ts';
import type { Lease } from './owners.ts';
import { insertLetters, insertPredictions, noteFailures, resolveLetters } from './outcome-rows.ts';
import { requestIdOf, settle } from './settle.ts';
import { withTransaction } from './transaction.ts';

export interface Prediction {
  kind: 'prediction';
  record: TopicRecord;
  request: Request;
  classification: Classification;
  fetchMs: number;
}

export interface DeadLetter {
  kind: 'dead letter';
  record: TopicRecord;
  requestId: string;
  imageKey: string | null;
  stage: 'read' | 'fetch' | 'classify' | 'record';
  code: string;
  message: string;
}

export type Outcome = Prediction | DeadLetter;

/** The records of one group are contiguous; `outcomes` may be fewer or more than the records. */
export interface Recording {
  outcomes: Outcome[];
  /** The last record taken: the position moves behind it. */
  last: TopicRecord;
  hostname: string;
}

export interface Recorded {
  predicted: number;
  deadLettered: number;
}

/** The lease is somebody else's: nothing was written. */
export class OwnershipLostError extends VisionscaleError {
  override readonly name = 'OwnershipLostError';
  constructor(lease: Lease) {
    super(`partition ${lease.partition} has another owner now (epoch ${lease.epoch} is over)`, {
      code: 'ownership_lost',
    });
  }
}

/**
 * Counts what was new: a request that already has its outcome changes nothing, and a retry that fails again is no new
 * dead letter. Throws OwnershipLostError.
 */
export async function record(pool: Pool, lease: Lease, recording: Recording): Promise<Recorded> {
  return withTransaction(pool, async (client) => {
    await checkOwner(client, lease);
    const letters = await lockRequests(client, lease.pipeline, recording.outcomes.map(requestIdOf));
    const { predictions, newLetters, resolved, failedAgain } = settle(recording.outcomes, letters);
    const by = { pipeline: lease.pipeline, topic: lease.topic, hostname: recording.hostname };
    const deadLettered = await insertLetters(client, by, newLetters);
    const predicted = await insertPredictions(client, by, predictions);
    await resolveLetters(client, by, resolved);
    await noteFailures(client, by, failedAgain);
    await client.query(
      `insert into positions as p (pipeline, topic, partition, next_offset, last_offset, last_timestamp_ms,
         predicted, dead_lettered)
       values ($1, $2, $3, $4, $5, $6, $7, $8)
       on conflict (pipeline, topic, partition) do update set
         next_offset = excluded.next_offset, last_offset = excluded.last_offset,
         last_timestamp_ms = excluded.last_timestamp_ms, updated_at = clock_timestamp(),
         predicted = p.predicted + excluded.predicted, dead_lettered = p.dead_lettered + excluded.dead_lettered`,
      [
        lease.pipeline,
        lease.topic,
        lease.partition,
        recording.last.offset + 1,
        recording.last.offset,
        recording.last.timestamp,
        predicted,
        deadLettered,
      ],
    );
    return { predicted, deadLettered };
  });
}

/** The row lock holds off a takeover until this transaction has ended. */
async function checkOwner(client: PoolClient, lease: Lease): Promise<void> {
  const { rowCount } = await client.query(
    `select 1 from owners
     where pipeline = $1 and topic = $2 and partition = $3 and owner = $4 and epoch = $5 for share`,
    [lease.pipeline, lease.topic, lease.partition, lease.owner, lease.epoch],
  );
  if (rowCount !== 1) throw new OwnershipLostError(lease);
}
