/** Asks for a lease, waiting out a database that is away, and consumes the partition until a server goes away or it is over. */
import { errorMessage, VisionscaleError, isRetryable } from '../../../base/errors.ts';
import { retry } from '../../../base/flow/retry.ts';
import { pause } from '../../../base/flow/waiting.ts';
import { claim, type Claim, type Holder, type OwnerMode } from '../../../systems/database/tables/owners.ts';
import type { ConsumeDeps, ConsumeOptions, SharedByPartitions } from '../options.ts';
import { consumePartition } from './partition.ts';
import type { PartitionTask } from './work-through.ts';

/** Granted or held. Throws `mode_conflict` where the pipeline is consumed in the other mode. */
export async function claimPatiently(
  deps: ConsumeDeps,
  options: ConsumeOptions,
  partition: number,
  mode: OwnerMode,
): Promise<Exclude<Claim, { kind: 'conflict' }>> {
  const id = { pipeline: options.pipeline, topic: deps.topic.name, partition };
  const claimant = { owner: options.owner, hostname: options.hostname, mode };
  const found = await retry(() => claim(deps.pool, id, claimant), {
    signal: options.signal,
    onWait: (error) => deps.report({ kind: 'waiting', partition, reason: errorMessage(error) }),
  });
  if (found.kind === 'conflict') throw modeConflict(found.holder, options.pipeline, deps.topic.name);
  return found;
}

function modeConflict(holder: Holder, pipeline: string, topic: string): VisionscaleError {
  const running = holder.mode === 'group' ? '--group' : '--partition';
  const asked = holder.mode === 'group' ? '--partition' : '--group';
  return new VisionscaleError(
    `pipeline ${pipeline} on topic ${topic} is consumed with ${running} by ${holder.owner} on ${holder.hostname}`,
    {
      code: 'mode_conflict',
      hint: `Use ${running} here too, stop that consumer before using ${asked}, or choose another --pipeline.`,
    },
  );
}

/** Before the partition is claimed anew, in milliseconds: claiming itself waits with backoff while the database is away. */
const pauseMs = 500;

/** `again`: the lease was lost or given back because something was away; claim it and go on from the position. */
export async function consumeUntilAway(
  deps: ConsumeDeps & SharedByPartitions,
  options: ConsumeOptions,
  task: PartitionTask,
): Promise<'ended' | 'again'> {
  try {
    return (await consumePartition(deps, options, task)) === 'lost' ? 'again' : 'ended';
  } catch (error) {
    if (!isRetryable(error) || options.signal.aborted) throw error;
    deps.report({ kind: 'waiting', partition: task.lease.partition, reason: errorMessage(error) });
    await pause(pauseMs, options.signal);
    return 'again';
  }
}
