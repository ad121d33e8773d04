/** Shares all partitions with the other members of a group: one task for each partition assigned. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lease } from '../database/owners.ts';
import type { Committer, Membership } from '../topic/topic.ts';
import { claimPatiently } from './claim.ts';
import type { ConsumeDeps, ConsumeOptions } from './deps.ts';
import { consumeUntilAway } from './until-away.ts';

/** How often a lease that the former owner has not given back is asked for. */
const retryMs = 250;

interface Task {
  stop: AbortController;
  done: Promise<void>;
}

export async function consumeAsGroup(
  deps: ConsumeDeps,
  options: ConsumeOptions,
  partitions: number,
): Promise<void> {
  const tasks = new Map<number, Task>();
  const ends = new Map<number, number>();
  if (options.untilDrained) {
    for (let p = 0; p < partitions; p++) ends.set(p, (await deps.topic.bounds(p)).end);
  }
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
      const until = ends.get(partition) ?? null;
      while (!signal.aborted) {
        const lease = await lend(deps, ours, partition);
        if (lease === null) return;
        if ((await consumeUntilAway(deps, ours, { lease, until, committer })) === 'ended') break;
      }
      if (signal.aborted) return;
      ends.delete(partition);
      if (options.untilDrained && ends.size === 0) over.abort();
    };
    const done = run().catch((error: unknown) => {
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

  try {
    await Promise.race([aborted(AbortSignal.any([options.signal, over.signal])), membership.ended]);
  } finally {
    over.abort();
    await Promise.all([...tasks.keys()].map(stop));
    await membership[Symbol.asyncDispose]();
  }
  if (failure) throw failure.error;
}

/** The group has assigned it, so whoever holds the lease is about to give it back, or it runs out. */
async function lend(deps: ConsumeDeps, options: ConsumeOptions, partition: number): Promise<Lease | null> {
  while (!options.signal.aborted) {
    const found = await claimPatiently(deps, options, partition, 'group');
    if (found.kind === 'granted') return found.lease;
    await sleep(retryMs, undefined, { signal: options.signal }).catch(() => undefined);
  }
  return null;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
