/** One owned partition: read → fetch → decode → preprocess → infer → record → commit. */
import { setMaxListeners } from 'node:events';
import type { Lease } from '../database/owners.ts';
import { OwnershipLostError, record } from '../database/record.ts';
import { retry } from '../retry.ts';
import type { Committer, TopicRecord } from '../topic/topic.ts';
import { type Answered, answer } from './answer.ts';
import { type ConsumeDeps, type ConsumeOptions, messagesInFlight } from './deps.ts';
import { holdLease } from './hold-lease.ts';
import { LatestCommit } from './latest-commit.ts';
import { orderedGroups } from './ordered-groups.ts';
import { startOffset } from './start-offset.ts';
import { Waits } from './waits.ts';

export interface PartitionTask {
  lease: Lease;
  /** Read up to here and no further; null: for ever. */
  until: number | null;
  /** Where offsets are committed; by default the reader itself. */
  committer?: Committer;
}

/** How long a fetch under way may still take once the consumer is told to stop, in milliseconds. */
const drainMs = 5000;
/** How often the partition's end is asked for anew, for the lag in the log, in milliseconds. */
const lagEveryMs = 5000;

export type PartitionEnd = 'drained' | 'stopped' | 'lost';

/** Runs until drained, stopped by the signal, or lost to another owner; the lease is given back in every case. */
export async function consumePartition(
  deps: ConsumeDeps,
  options: ConsumeOptions,
  task: PartitionTask,
): Promise<PartitionEnd> {
  const { pool, topic, classifier, report } = deps;
  const { lease, until } = task;
  const { partition } = lease;
  const lost = new AbortController();
  const signal = AbortSignal.any([options.signal, lost.signal]);
  const hardStop = AbortSignal.any([lost.signal, after(options.signal, drainMs)]);
  setMaxListeners(0, hardStop);
  const waits = new Waits((reason) => {
    report(reason === null ? { kind: 'going on', partition } : { kind: 'waiting', partition, reason });
    held.tell();
  });
  const held = holdLease(
    pool,
    lease,
    () => ({
      state: options.signal.aborted ? 'draining' : waits.reason === null ? 'consuming' : 'waiting',
      detail: waits.reason ?? deps.modelProblem?.() ?? null,
      model: classifier.model.name,
      modelDigest: classifier.model.digest,
      engine: classifier.engine,
    }),
    () => lost.abort(),
  );

  try {
    const from = await startOffset(deps, options, lease);
    let { end } = await topic.bounds(partition);
    let asked = performance.now();
    report({ kind: 'owning', partition, epoch: lease.epoch, from, lag: Math.max(0, end - from) });
    if (until !== null && from >= until) return 'drained';

    await using reader = await topic.reader({ partition, from, group: options.pipeline });
    const commits = new LatestCommit(task.committer ?? reader, partition, (reason) =>
      report({ kind: 'commit failed', partition, reason }),
    );
    const groups = orderedGroups(
      (s) => upTo(reader.records(s), until),
      (message, s) => answer(message, { ...deps, maxImageBytes: options.maxImageBytes, waits, hardStop }, s),
      { inFlight: messagesInFlight, signal },
    );
    for await (const group of groups) {
      const last = group.at(-1)!.record;
      const recorded = await waits.during((onWait) =>
        retry(() => recordGroup(deps, options, lease, group), { signal, onWait }),
      );
      commits.commit(last.offset + 1);
      for (const outcome of group.flatMap((a) => a.outcomes)) {
        if (outcome.kind !== 'dead letter') continue;
        const { imageKey, code, message } = outcome;
        report({ kind: 'dead letter', partition, offset: outcome.record.offset, imageKey, code, message });
      }
      end = Math.max(end, last.offset + 1);
      if (performance.now() - asked > lagEveryMs) {
        asked = performance.now();
        void topic.bounds(partition).then(
          (bounds) => (end = Math.max(end, bounds.end)),
          () => undefined,
        );
      }
      report({ kind: 'recorded', partition, ...recorded, lag: end - last.offset - 1 });
    }
    await commits.flush();
    if (lost.signal.aborted) return lostTo(deps, lease);
    return options.signal.aborted ? 'stopped' : 'drained';
  } catch (error) {
    if (error instanceof OwnershipLostError || lost.signal.aborted) return lostTo(deps, lease);
    throw error;
  } finally {
    await held[Symbol.asyncDispose]();
    report({ kind: 'released', partition });
  }
}

function lostTo(deps: ConsumeDeps, lease: Lease): PartitionEnd {
  deps.report({ kind: 'lost', partition: lease.partition, epoch: lease.epoch });
  return 'lost';
}

function recordGroup(deps: ConsumeDeps, options: ConsumeOptions, lease: Lease, group: Answered[]) {
  return record(deps.pool, lease, {
    outcomes: group.flatMap((answered) => answered.outcomes),
    last: group.at(-1)!.record,
    hostname: options.hostname,
  });
}

/** Ends behind the record before offset `end`. */
async function* upTo(records: AsyncIterable<TopicRecord>, end: number | null): AsyncIterable<TopicRecord> {
  for await (const record of records) {
    if (end !== null && record.offset >= end) return;
    yield record;
    if (end !== null && record.offset + 1 >= end) return;
  }
}

/** Aborts `ms` after `signal`. */
function after(signal: AbortSignal, ms: number): AbortSignal {
  const later = new AbortController();
  const start = () => void setTimeout(() => later.abort(), ms).unref();
  if (signal.aborted) start();
  else signal.addEventListener('abort', start, { once: true });
  return later.signal;
}
