/** The recording transaction: rows or dead letters, the position and the check of ownership, all or nothing. */
import type { Pool, PoolClient } from 'pg';
import { VisionscaleError } from '../../../base/errors.ts';
import type { TopicRecord } from '../../message/record.ts';
import { messageId } from '../../message/retry.ts';
import { planned } from '../session.ts';
import type { Lease } from '../tables/owners.ts';
import { withTransaction } from '../transaction.ts';
import { insertLetters, insertPredictions, noteFailures, resolveLetters } from './outcome-rows.ts';
import { requestIdOf } from './outcome.ts';
import type { Outcome, Sorting, NewPrediction } from './outcome.ts';
import { withoutForgedRetries } from './retry-claims.ts';
import { lockRequests, settle } from './settle.ts';

/** The records of one group are contiguous; `outcomes` may be fewer or more than the records. */
export interface Recording {
  outcomes: Outcome[];
  /** The last record taken: the position moves behind it. */
  last: TopicRecord;
  hostname: string;
  /** Those of the records that are retries of dead letters. */
  retries?: readonly TopicRecord[];
  /** How much of the messages asks for nothing. */
  ignored?: number;
  /** Absent: without bins, deadline and publication. */
  sorting?: Sorting;
}

export interface Recorded {
  predicted: number;
  deadLettered: number;
  ignored: number;
  /** As many as `predicted`. */
  predictions: NewPrediction[];
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
    const { binVersion } = await checkOwner(client, lease);
    const { bins: active, deadlineMs = null, publish = false } = recording.sorting ?? {};
    const bins = (await active?.of(client, binVersion)) ?? null;
    const { outcomes, retries } = await withoutForgedRetries(client, lease.pipeline, recording);
    const letters = await lockRequests(client, lease.pipeline, {
      requestIds: outcomes.map(requestIdOf),
      messageIds: [...outcomes.map(({ record }) => record), ...retries].map(messageId),
      retriedIds: retries.map(messageId),
    });
    const { predictions, newLetters, resolved, failedAgain } = settle(outcomes, letters, retries);
    const by = { pipeline: lease.pipeline, topic: lease.topic, hostname: recording.hostname, publish };
    const deadLettered = await insertLetters(client, by, newLetters);
    const added = await insertPredictions(client, by, predictions, { bins, deadlineMs });
    const predicted = added.length;
    await resolveLetters(client, by, resolved);
    await noteFailures(client, by, failedAgain);
    const { ignored = 0 } = recording;
    const moving = `insert into positions as p (pipeline, topic, partition, next_offset, last_offset, last_timestamp_ms,
         predicted, dead_lettered, ignored)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
       on conflict (pipeline, topic, partition) do update set
         next_offset = excluded.next_offset, last_offset = excluded.last_offset,
         last_timestamp_ms = excluded.last_timestamp_ms, updated_at = clock_timestamp(),
         predicted = p.predicted + excluded.predicted, dead_lettered = p.dead_lettered + excluded.dead_lettered,
         ignored = p.ignored + excluded.ignored`;
    const { last } = recording;
    const to = [last.offset + 1, last.offset, last.timestamp, predicted, deadLettered, ignored];
    const key = [lease.pipeline, lease.topic, lease.partition];
    await client.query(planned(client, 'record-position', moving, [...key, ...to]));
    return { predicted, deadLettered, ignored, predictions: added };
  });
}

/** The row lock holds off a takeover until this transaction has ended, and no renewal. Also says which bins are in force. */
async function checkOwner(client: PoolClient, lease: Lease): Promise<{ binVersion: number | null }> {
  const checking = `select (select version from active_bins where pipeline = $1) as "binVersion" from owners
     where pipeline = $1 and topic = $2 and partition = $3 and owner = $4 and epoch = $5 for key share`;
  const { pipeline, topic, partition, owner, epoch } = lease;
  const { rows } = await client.query<{ binVersion: number | null }>(
    planned(client, 'record-owner', checking, [pipeline, topic, partition, owner, epoch]),
  );
  const [owned] = rows;
  if (owned === undefined) throw new OwnershipLostError(lease);
  return owned;
}
