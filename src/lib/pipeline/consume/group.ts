/** Shares all partitions with the other members of a group: one task for each partition assigned. */
import { isRetryable } from '../../base/errors.ts';
import { aborted, pause } from '../../base/flow/waiting.ts';
import type { Lease } from '../../systems/database/tables/owners.ts';
import type { Committer, Membership } from '../../systems/topic/topic.ts';
import type { ConsumeDeps, ConsumeOptions, SharedByPartitions } from './options.ts';
import { Ends } from './partition/offsets.ts';
import { claimPatiently, consumeUntilAway } from './partition/partition.ts';

/** How often a lease that the former owner has not given back is asked for. */
const retryMs = 250;
/** How often the members that are drained themselves look at the others' positions. */
const drainedPollMs = 250;

interface Task {
  stop: AbortController;
  done: Promise<void>;
}

export async function consumeAsGroup(
  deps: ConsumeDeps & SharedByPartitions,
  options: ConsumeOptions,
  partitions: number,
): Promise<void> {
  const tasks = new Map<number, Task>();
  const all = [...Array(partitions).keys()];
  const ends = options.untilDrained ? await Ends.at(deps.pool, deps.topic, options, all) : null;
  const over = new AbortController();
  let failure: { error: unknown } | undefined;
  const committer: Committer = {
    commit: async (partition, offset) => (await joined).commit(partition, offset),
  };

  const start = (partition: number): Task => {
    const stop = new AbortController();
    const signal = AbortSignal.any([options.signal, over.signal, stop.signal]);
    const run = async () => {
      const ours = { ...options, signal };
      const until = ends?.of(partition) ?? null;
      while (!signal.aborted) {
        const lease = await lend(deps, ours, partition);
        if (lease === null) return;
        if ((await consumeUntilAway(deps, ours, { lease, until, committer })) === 'ended') break;
      }
      if (!signal.aborted) ends?.reached(partition);
    };
    const done = run().catch((error: unknown) => {
      // Taken away while the database was: the next owner, or the next assignment, goes on from the position.
      if (signal.aborted && isRetryable(error)) return;
      failure ??= { error };
      over.abort();
    });
    return { stop, done };
  };

  const stop = async (partition: number) => {
    const task = tasks.get(partition);
    tasks.delete(partition);
    task?.stop.abort();
    await task?.done;
  };

  const joined: Promise<Membership> = deps.topic.join(options.pipeline, options.owner, {
    assigned: async (assigned) => {
      for (const partition of assigned) {
        await stop(partition);
        tasks.set(partition, start(partition));
      }
    },
    // Lost ones need no other treatment: the epoch check keeps what comes too late from being recorded.
    revoked: async (revoked) => {
      await Promise.all(revoked.map(stop));
    },
  });

  const membership = await joined;
  const finished = AbortSignal.any([options.signal, over.signal]);
  try {
    const drained = ends === null ? [] : [everythingRecorded(ends, (p) => tasks.has(p), finished)];
    await Promise.race([aborted(finished), membership.ended, ...drained]);
  } finally {
    over.abort();
    await Promise.all([...tasks.keys()].map(stop));
    await membership[Symbol.asyncDispose]();
  }
  if (failure) throw failure.error;
}

/** The group has assigned it, so whoever holds the lease is about to give it back, or it runs out. */
async function lend(
  deps: ConsumeDeps & SharedByPartitions,
  options: ConsumeOptions,
  partition: number,
): Promise<Lease | null> {
  while (!options.signal.aborted) {
    const found = await claimPatiently(deps, options, partition, 'group');
    if (found.kind === 'granted') return found.lease;
    await pause(retryMs, options.signal);
  }
  return null;
}

/** By this member and the others; what is assigned to this one it sees to itself. */
async function everythingRecorded(
  ends: Ends,
  isOurs: (partition: number) => boolean,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && ends.left.length > 0) {
    // While the database is away, so is everything else.
    for (const p of ends.left) if (!isOurs(p)) await ends.reachedByOwner(p).catch(() => undefined);
    await pause(drainedPollMs, signal);
  }
}
