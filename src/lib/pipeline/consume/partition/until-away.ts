/** Consumes an owned partition; a server that goes away ends that, not the process. */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, isRetryable } from '../../../base/errors.ts';
import type { ConsumeDeps, ConsumeOptions, Shared } from '../deps.ts';
import { consumePartition, type PartitionTask } from './partition.ts';

/** Before the partition is claimed anew, in milliseconds: claiming itself waits with backoff while the database is away. */
const pauseMs = 500;

/** `again`: the lease was lost or given back because something was away; claim it and go on from the position. */
export async function consumeUntilAway(
  deps: ConsumeDeps & Shared,
  options: ConsumeOptions,
  task: PartitionTask,
): Promise<'ended' | 'again'> {
  try {
    return (await consumePartition(deps, options, task)) === 'lost' ? 'again' : 'ended';
  } catch (error) {
    if (!isRetryable(error) || options.signal.aborted) throw error;
    deps.report({ kind: 'waiting', partition: task.lease.partition, reason: errorMessage(error) });
    await sleep(pauseMs, undefined, { signal: options.signal }).catch(() => undefined);
    return 'again';
  }
}
