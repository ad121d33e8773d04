/** Where a partition is read from: behind what this pipeline has recorded, if the topic is still the same one. */
import { TopicError } from '../../../base/errors.ts';
import { type Lease, readPosition, type Position } from '../../../systems/database/tables/owners.ts';
import type { PartitionBounds, Topic } from '../../../systems/topic/topic.ts';
import type { ConsumeDeps, ConsumeOptions } from '../options.ts';

/** Longest wait for the record that was recorded last, in milliseconds. */
const rereadMs = 10_000;

/**
 * The database's position decides; the topic's committed offset only where the database has none; else the beginning. A
 * topic that was deleted and created again is read from its beginning. Throws `records_expired` where records were
 * deleted before they were read, unless that is accepted.
 */
export async function startOffset(
  deps: Pick<ConsumeDeps, 'pool' | 'topic' | 'report'>,
  options: Pick<ConsumeOptions, 'pipeline' | 'skipExpired'>,
  lease: Lease,
): Promise<number> {
  const { topic } = deps;
  const { partition } = lease;
  const position = await readPosition(deps.pool, lease);
  const bounds = await topic.bounds(partition);
  if (position === null) {
    const committed = await topic.committed(options.pipeline, partition);
    return committed === null || committed > bounds.end ? bounds.first : Math.max(committed, bounds.first);
  }
  if (!(await isSameTopic(topic, partition, position, bounds))) {
    deps.report({ kind: 'another topic', partition, position: position.nextOffset });
    return bounds.first;
  }
  const expired = bounds.first - position.nextOffset;
  if (expired <= 0) return position.nextOffset;
  if (!options.skipExpired) {
    throw new TopicError(
      `${expired} messages of partition ${partition} of ${topic.name} were deleted by its retention before they were read`,
      {
        code: 'records_expired',
        hint: 'They cannot be had back. To go on with the next: consume --skip-expired',
      },
    );
  }
  deps.report({ kind: 'skipped expired', partition, records: expired });
  return bounds.first;
}

/** Offsets begin anew in a topic that was created again; the record behind the position tells, by its time. */
async function isSameTopic(
  topic: Topic,
  partition: number,
  { nextOffset, lastOffset, lastTimestamp }: Position,
  { first, end }: PartitionBounds,
): Promise<boolean> {
  if (nextOffset > end) return false;
  if (lastOffset === null || lastOffset < first || lastOffset >= end) return true;
  const group = 'visionscale.position';
  await using reader = await topic.reader({ partition, from: lastOffset, group, prefetchRecords: 1 });
  for await (const record of reader.records(AbortSignal.timeout(rereadMs))) {
    // Compaction may have removed it: nothing speaks against the topic then.
    return record.offset !== lastOffset || record.timestamp === lastTimestamp;
  }
  throw new TopicError(
    `record ${lastOffset} of partition ${partition} of ${topic.name} could not be read again`,
    {
      code: 'broker_unavailable',
      retryable: true,
    },
  );
}
