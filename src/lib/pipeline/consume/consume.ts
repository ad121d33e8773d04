/** The verb `consume`: owns one partition, or shares them with others, and classifies what they bring. */
import { isRetryable, ObjectError, TopicError } from '../../base/errors.ts';
import { ByteBudget, noLoad } from '../../base/flow/load.ts';
import { patience, type Patience, type RetryOptions } from '../../base/flow/retry.ts';
import { pause } from '../../base/flow/waiting.ts';
import type { ConsumeResult } from '../../base/results.ts';
import { ActiveBins } from '../../systems/database/tables/bins.ts';
import type { Lease } from '../../systems/database/tables/owners.ts';
import { CrashGuard } from './answer/crash-guard.ts';
import { consumeAsGroup } from './group.ts';
import type { ConsumeDeps, ConsumeEvent, ConsumeOptions, SharedByPartitions } from './options.ts';
import { LeaseKeeper } from './partition/leases.ts';
import { Ends } from './partition/offsets.ts';
import { claimPatiently, consumeUntilAway } from './partition/partition.ts';
import { consumeShared } from './sharing.ts';

export type { ConsumeEvent } from './options.ts';

/** Which partitions: a fixed one, a fair share of those that nobody was told to consume, or what a Kafka group assigns. */
export type Share = { kind: 'partition'; partition: number } | { kind: 'any' } | { kind: 'group' };

export type { ConsumeResult } from '../../base/results.ts';

/** Runs until the signal aborts or, with `untilDrained`, until caught up. Throws where the topic does not exist. */
export async function consume(
  deps: ConsumeDeps,
  options: ConsumeOptions,
  share: Share,
): Promise<ConsumeResult> {
  const patiently = atStart(options, deps.report);
  const partitions = await patiently(() => deps.topic.partitions());
  if (partitions === 0) {
    throw new TopicError(`topic ${deps.topic.name} does not exist`, {
      code: 'topic_missing',
      hint: 'Create it with `visionscale init`, or let `visionscale produce` do it.',
    });
  }
  if (share.kind === 'partition' && share.partition >= partitions) {
    throw new TopicError(
      `topic ${deps.topic.name} has ${partitions} partitions, 0 to ${partitions - 1}; there is no partition ${share.partition}`,
      { code: 'no_such_partition', hint: 'Choose one of them with --partition.' },
    );
  }
  if (!(await patiently(() => deps.store.exists()))) {
    throw new ObjectError(`the object store ${deps.store.url} does not exist`, {
      code: 'bucket_missing',
      hint: 'Create it with `visionscale init`.',
    });
  }
  const count = new Count();
  const report = (event: ConsumeEvent) => deps.report(count.see(event));
  report({ kind: 'partitions', partition: null, partitions });
  const tellBins = (version: number | null) => report({ kind: 'bins', partition: null, version });
  const counted = {
    ...deps,
    report,
    sorting: {
      bins: new ActiveBins(options.pipeline, tellBins),
      deadlineMs: options.deadlineMs ?? null,
      publish: deps.results !== undefined,
    },
    budget: new ByteBudget(options.imageMemoryBytes),
    load: deps.load ?? noLoad(),
    crashGuard: new CrashGuard(deps.pool, options),
    leases: new LeaseKeeper(deps.pool),
  };
  try {
    if (share.kind === 'group') await consumeAsGroup(counted, options, partitions);
    else if (share.kind === 'any') await consumeShared(counted, options, partitions);
    else await consumeOne(counted, options, share.partition);
  } catch (error) {
    // Asked to stop while something was away: what was not recorded comes again.
    if (!(options.signal.aborted && isRetryable(error))) throw error;
  }
  return count.result();
}

class Count {
  #predicted = 0;
  #deadLettered = 0;
  #ignored = 0;
  #began: number | undefined;
  #ended = 0;
  #classified = 0;
  #classifyMs = 0;

  see(event: ConsumeEvent): ConsumeEvent {
    if (event.kind === 'owning') this.#began ??= performance.now();
    if (event.kind === 'recorded') {
      this.#predicted += event.predicted;
      this.#deadLettered += event.deadLettered;
      this.#ignored += event.ignored;
      this.#ended = performance.now();
      for (const outcome of event.outcomes) {
        if (outcome.kind !== 'prediction') continue;
        const { decode, preprocess, infer } = outcome.classification.stages;
        this.#classified++;
        this.#classifyMs += decode + preprocess + infer;
      }
    }
    return event;
  }

  /** Seconds run from the first partition owned to the last row written: idle time before and after does not count. */
  result(): ConsumeResult {
    const seconds = this.#began === undefined ? 0 : Math.max(0, this.#ended - this.#began) / 1000;
    return {
      predicted: this.#predicted,
      deadLettered: this.#deadLettered,
      ignored: this.#ignored,
      seconds: rounded(seconds),
      imagesPerSecond: seconds > 0 ? rounded(this.#predicted / seconds) : 0,
      classifyMs: this.#classified > 0 ? rounded(this.#classifyMs / this.#classified) : null,
    };
  }
}

/** To three places: more than any clock here is worth. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

// Waits for what is away when a consumer starts, as it does later: a host may be up before its database.

/** Servers that are away; and what the store denies, as later too: so `status` can say so. */
export function isWaitedFor(error: unknown): boolean {
  return isRetryable(error) || (error instanceof ObjectError && error.code === 'access_denied');
}

/** Who drains hears at once of what is denied. `forMs`: no longer. */
export function atStart(
  {
    signal,
    untilDrained,
    forMs,
  }: Pick<ConsumeOptions, 'signal' | 'untilDrained'> & Pick<RetryOptions, 'forMs'>,
  report: (event: ConsumeEvent) => void,
): Patience {
  return patience({ signal, forMs, shouldRetry: untilDrained ? isRetryable : isWaitedFor }, (reason) =>
    report(
      reason === null ? { kind: 'going on', partition: null } : { kind: 'waiting', partition: null, reason },
    ),
  );
}

// Owns one partition; stands by while somebody else does.

/** How often a standby looks whether the lease has come free. */
const standbyMs = 250;

async function consumeOne(
  deps: ConsumeDeps & SharedByPartitions,
  options: ConsumeOptions,
  partition: number,
): Promise<void> {
  const ends = options.untilDrained ? await Ends.at(deps.pool, deps.topic, options, [partition]) : null;
  const until = ends?.of(partition) ?? null;
  while (!options.signal.aborted) {
    const lease = await standBy(deps, options, partition, ends);
    if (lease === null) return;
    if ((await consumeUntilAway(deps, options, { lease, until })) === 'ended') return;
  }
}

/** Waits until it comes free; null when asked to stop, or when its owner has drained it. */
async function standBy(
  deps: ConsumeDeps & SharedByPartitions,
  options: ConsumeOptions,
  partition: number,
  ends: Ends | null,
): Promise<Lease | null> {
  let told: string | undefined;
  while (!options.signal.aborted && ends?.left.length !== 0) {
    const found = await claimPatiently(deps, options, partition, 'partition');
    if (found.kind === 'granted') return found.lease;
    if (ends !== null && (await ends.reachedByOwner(partition))) return null;
    const holder = `${found.holder.owner} on ${found.holder.hostname}`;
    if (told !== holder) deps.report({ kind: 'standing by', partition, holder });
    told = holder;
    await pause(standbyMs, options.signal);
  }
  return null;
}
