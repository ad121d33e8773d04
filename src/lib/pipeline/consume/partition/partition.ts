/** One partition: claimed, its lease held while its messages are worked through, claimed again where something was away. */
import { setMaxListeners } from 'node:events';
import { errorMessage, isRetryable, VisionscaleError } from '../../../base/errors.ts';
import { retry } from '../../../base/flow/retry.ts';
import { pause } from '../../../base/flow/waiting.ts';
import { OwnershipLostError } from '../../../systems/database/record/record.ts';
import {
  claim,
  type Claim,
  type Holder,
  type Lease,
  type OwnerMode,
  type OwnerReport,
} from '../../../systems/database/tables/owners.ts';
import { Publication } from '../../../systems/publish/publisher.ts';
import type { ConsumeDeps, ConsumeOptions, SharedByPartitions } from '../options.ts';
import { startOffset } from './offsets.ts';
import { StalledError, Waits } from './watchdog.ts';
import { type PartitionTask, workThrough } from './work-through.ts';

/** How long an image under way may still take once the consumer is told to stop, in milliseconds. */
const drainMs = 5000;
/** How long what was recorded may still take to be published at the end, in milliseconds: told to stop, and drained. */
const publishMs = { stopped: 2000, drained: 10_000 };

type PartitionEnd = 'drained' | 'stopped' | 'lost';

/**
 * Runs until drained, stopped by the signal, or lost to another owner; the lease is given back in every case. Throws
 * StalledError, with work left hanging, where nothing moves and nobody knows why.
 */
async function consumePartition(
  deps: ConsumeDeps & SharedByPartitions,
  options: ConsumeOptions,
  task: PartitionTask,
): Promise<PartitionEnd> {
  const { pool, topic, models, report } = deps;
  const { lease } = task;
  const { partition } = lease;
  const lost = new AbortController();
  const signal = AbortSignal.any([options.signal, lost.signal]);
  const hardStop = AbortSignal.any([lost.signal, after(options.signal, drainMs)]);
  setMaxListeners(0, hardStop);
  let stalled: string | null = null;
  const waits = new Waits((reason) => {
    report(reason === null ? { kind: 'going on', partition } : { kind: 'waiting', partition, reason });
    held.tell();
  });
  const state = () => {
    if (options.signal.aborted) return 'draining';
    if (waits.reason !== null) return 'waiting';
    return stalled === null ? 'consuming' : 'stalled';
  };
  const ownerReport = (): OwnerReport => {
    const { model, engine } = models.pipelines;
    return {
      state: state(),
      detail: waits.reason ?? stalled ?? models.problem(),
      model: model.name,
      modelDigest: model.digest,
      engine,
    };
  };
  const held = deps.leases.hold(lease, ownerReport, () => lost.abort());
  const { results: topics } = deps;
  const publication = topics === undefined ? null : new Publication({ pool, topics, report }, lease);
  const published = () =>
    publication?.finish(
      AbortSignal.any([
        lost.signal,
        after(options.signal, publishMs.stopped),
        AbortSignal.timeout(publishMs.drained),
      ]),
    );

  try {
    // The topic may be away: the partition is kept meanwhile, and `status` says why.
    const { from, end } = await waits.during((onWait) =>
      retry(
        async () => {
          const from = await startOffset(deps, options, lease);
          return { from, end: (await topic.bounds(partition)).end };
        },
        { signal, onWait },
      ),
    );
    report({ kind: 'owning', partition, epoch: lease.epoch, from, lag: Math.max(0, end - from) });
    if (task.until !== null && from >= task.until) {
      await published();
      return 'drained';
    }
    const onStall = (reason: string | null) => {
      stalled = reason;
      report({ kind: 'stalled', partition, reason });
      held.tell();
    };
    const onRecorded = (recorded: { predicted: number; deadLettered: number }) =>
      publication?.recorded(recorded);
    const work = { from, end, signal, hardStop, waits, onStall, onRecorded };
    await workThrough(deps, options, task, work);
    if (lost.signal.aborted) return lostTo(deps, lease);
    await published();
    return options.signal.aborted ? 'stopped' : 'drained';
  } catch (error) {
    if (error instanceof OwnershipLostError || lost.signal.aborted) return lostTo(deps, lease);
    if (error instanceof StalledError) held.stalled();
    throw error;
  } finally {
    publication?.abandon();
    await held[Symbol.asyncDispose]();
    report({ kind: 'released', partition });
  }
}

function lostTo(deps: ConsumeDeps, lease: Lease): PartitionEnd {
  deps.report({ kind: 'lost', partition: lease.partition, epoch: lease.epoch });
  return 'lost';
}

/** Aborts `ms` after `signal`. */
function after(signal: AbortSignal, ms: number): AbortSignal {
  const later = new AbortController();
  const start = () => void setTimeout(() => later.abort(), ms).unref();
  if (signal.aborted) start();
  else signal.addEventListener('abort', start, { once: true });
  return later.signal;
}

/** Granted or held. Throws `mode_conflict` where the pipeline is consumed in the other mode. */
export async function claimPatiently(
  deps: ConsumeDeps,
  options: ConsumeOptions,
  partition: number,
  mode: OwnerMode,
): Promise<Exclude<Claim, { kind: 'conflict' }>> {
  const id = { pipeline: options.pipeline, topic: deps.topic.name, partition };
  const claimant = { owner: options.owner, hostname: options.hostname, mode };
  let waited = false;
  const found = await retry(() => claim(deps.pool, id, claimant), {
    signal: options.signal,
    onWait(error) {
      waited = true;
      deps.report({ kind: 'waiting', partition, reason: errorMessage(error) });
    },
  });
  if (waited) deps.report({ kind: 'going on', partition });
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
