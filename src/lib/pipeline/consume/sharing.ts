/** Shares the partitions that nobody owns with the other consumers that were told no partition: the leases decide. */
import { errorMessage, isRetryable } from '../../base/errors.ts';
import { retry } from '../../base/flow/retry.ts';
import { pause, unlessAborted } from '../../base/flow/waiting.ts';
import { type OwnersAndSharers, readOwnersAndSharers } from '../../systems/database/tables/consumers.ts';
import type { Lease } from '../../systems/database/tables/owners.ts';
import type { Topic } from '../../systems/topic/topic.ts';
import type { ConsumeDeps, ConsumeOptions, SharedByPartitions } from './options.ts';
import { Ends } from './partition/offsets.ts';
import { claimPatiently, consumeUntilAway } from './partition/partition.ts';

/** How often a consumer looks who owns what, and whether that is a fair share. */
const lookMs = 250;
/** And whether the topic has more partitions than before. */
const growthMs = 2_500;

export interface Balance {
  /** Partitions of ours to give back, for others have fewer than their share. */
  release: number[];
  /** Free partitions to ask for. */
  claim: number[];
}

/**
 * What one consumer does so that all of them, each looking for itself, end up with shares that differ by one at most. Who
 * owns more already gets a larger share, so that nothing moves in vain; then who has lived longer. Partitions of owners that
 * do not share (`--partition`) are theirs.
 */
export function balance(
  partitions: readonly number[],
  { owners, sharers }: OwnersAndSharers,
  me: string,
): Balance {
  const all = sharers.includes(me) ? sharers : [...sharers, me];
  const ownerOf = new Map(owners.map(({ partition, owner }) => [partition, owner]));
  const owned = partitions.filter((partition) => ownerOf.get(partition) === me);
  const free = partitions.filter((partition) => !ownerOf.has(partition));
  const shared = partitions.filter((p) => !ownerOf.has(p) || all.includes(ownerOf.get(p)!)).length;
  const holds = (name: string) => owners.filter(({ owner }) => owner === name).length;
  const byHolding = all.toSorted((one, other) => holds(other) - holds(one));
  const larger = byHolding.indexOf(me) < shared % all.length ? 1 : 0;
  const share = Math.floor(shared / all.length) + larger;
  const more = Math.max(0, share - owned.length);
  // Everyone begins at another place: who asks for the same ones waits for the others, and in vain.
  const begin = Math.floor((free.length * byHolding.indexOf(me)) / all.length);
  return {
    release: owned.slice(share),
    claim: [...free.slice(begin), ...free.slice(0, begin)].slice(0, more),
  };
}

interface Task {
  stop: AbortController;
  done: Promise<void>;
}

/** Runs until the signal aborts or, with `untilDrained`, until everything is recorded, by whomever. */
export async function consumeShared(
  deps: ConsumeDeps & SharedByPartitions,
  options: ConsumeOptions,
  partitions: number,
): Promise<void> {
  const { pool, topic } = deps;
  const known = new KnownPartitions(topic, partitions, (count) =>
    deps.report({ kind: 'partitions', partition: null, partitions: count }),
  );
  const ends = options.untilDrained ? await Ends.at(pool, topic, options, await known.now()) : null;
  const tasks = new Map<number, Task>();
  const over = new AbortController();
  const finished = AbortSignal.any([options.signal, over.signal]);
  let failure: { error: unknown } | undefined;

  const start = (lease: Lease): Task => {
    const stop = new AbortController();
    const signal = AbortSignal.any([finished, stop.signal]);
    const until = ends?.of(lease.partition) ?? null;
    const run = async () => {
      // What was lost or given back because something was away is asked for again like any other.
      const end = await consumeUntilAway(deps, { ...options, signal }, { lease, until });
      if (end === 'ended' && !signal.aborted) ends?.reached(lease.partition);
    };
    const done = run()
      .catch((error: unknown) => {
        if (signal.aborted && isRetryable(error)) return;
        failure ??= { error };
        over.abort();
      })
      .finally(() => tasks.delete(lease.partition));
    return { stop, done };
  };

  let told: string | undefined;
  const look = async () => {
    let waited = false;
    const seen = await retry(() => readOwnersAndSharers(pool, options.pipeline, topic.name), {
      signal: finished,
      onWait: (error) => {
        waited = true;
        deps.report({ kind: 'waiting', partition: null, reason: errorMessage(error) });
      },
    });
    if (waited) {
      told = undefined;
      deps.report({ kind: 'going on', partition: null });
    }
    return seen;
  };

  const tellStandby = ({ owners }: OwnersAndSharers) => {
    const [holder] = owners;
    if (tasks.size > 0 || holder === undefined) {
      told = undefined;
      return;
    }
    const name = `${holder.owner} on ${holder.hostname}`;
    if (told !== name) deps.report({ kind: 'standing by', partition: null, holder: name });
    told = name;
  };

  try {
    while (!finished.aborted) {
      const candidates = ends === null ? await unlessAborted(known.now(), finished) : ends.left;
      // Told to stop while the topic did not answer: what was released stays so.
      if (candidates === undefined) break;
      if (ends !== null && candidates.length === 0) break;
      const seen = await look();
      const grouped = seen.owners.find(({ mode }) => mode === 'group');
      const { release, claim } = balance(candidates, seen, options.owner);
      // Beside a group even what nobody can have is asked for: whoever is told a partition is refused in the same way.
      const asked = grouped === undefined ? claim : [grouped.partition];
      for (const partition of release) tasks.get(partition)?.stop.abort();
      for (const partition of asked) {
        if (tasks.has(partition)) continue;
        const found = await claimPatiently(deps, { ...options, signal: finished }, partition, 'partition');
        if (found.kind === 'granted') tasks.set(partition, start(found.lease));
      }
      tellStandby(seen);
      if (ends !== null)
        for (const partition of ends.left) if (!tasks.has(partition)) await ends.reachedByOwner(partition);
      await pause(lookMs, finished);
    }
  } finally {
    over.abort();
    await Promise.all([...tasks.values()].map(({ done }) => done));
  }
  if (failure) throw failure.error;
}

/** The partitions there are: those that the topic gains later, too. */
class KnownPartitions {
  readonly #topic: Topic;
  readonly #onMore: (count: number) => void;
  #count: number;
  #looked = performance.now();

  constructor(topic: Topic, count: number, onMore: (count: number) => void) {
    this.#topic = topic;
    this.#count = count;
    this.#onMore = onMore;
  }

  async now(): Promise<number[]> {
    if (performance.now() - this.#looked > growthMs) {
      // While the topic is away there is none to own either.
      const count = await this.#topic.partitions().catch(() => 0);
      if (count > this.#count) this.#onMore((this.#count = count));
      this.#looked = performance.now();
    }
    return [...Array(this.#count).keys()];
  }
}
