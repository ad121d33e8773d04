/** Owns one partition of several candidates at a time; stands by while others own them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Holder, Lease } from '../../systems/database/tables/owners.ts';
import type { Topic } from '../../systems/topic/topic.ts';
import type { ConsumeDeps, ConsumeOptions, Shared } from './deps.ts';
import { claimPatiently } from './partition/claim.ts';
import { Ends } from './partition/drained.ts';
import { consumeUntilAway } from './partition/until-away.ts';

/** How often a standby looks whether a lease has come free. */
const standbyMs = 250;
/** And whether the topic has more partitions than before. */
const growthMs = 2_500;

/** The partitions that may be owned. */
export class Candidates {
  readonly #topic: Topic;
  readonly #grow: boolean;
  #partitions: number[];
  #looked = performance.now();

  /** `grow`: whatever partitions there are, later ones too. */
  constructor(topic: Topic, partitions: number[], grow: boolean) {
    this.#topic = topic;
    this.#partitions = partitions;
    this.#grow = grow;
  }

  async now(): Promise<number[]> {
    if (this.#grow && performance.now() - this.#looked > growthMs) {
      // While the topic is away there is none to own either.
      const count = await this.#topic.partitions().catch(() => 0);
      this.#looked = performance.now();
      for (let next = this.#partitions.length; next < count; next++) this.#partitions.push(next);
    }
    return this.#partitions;
  }
}

export async function consumeOne(
  deps: ConsumeDeps & Shared,
  options: ConsumeOptions,
  candidates: Candidates,
): Promise<void> {
  const ends = options.untilDrained
    ? await Ends.at(deps.pool, deps.topic, options, await candidates.now())
    : null;
  while (!options.signal.aborted) {
    const lease = await standBy(deps, options, candidates, ends);
    if (lease === null) return;
    const until = ends?.of(lease.partition) ?? null;
    if ((await consumeUntilAway(deps, options, { lease, until })) === 'again') continue;
    if (ends === null) return;
    ends.reached(lease.partition);
  }
}

/** Waits for the first candidate that comes free; null when asked to stop, or when there are no candidates (left). */
async function standBy(
  deps: ConsumeDeps & Shared,
  options: ConsumeOptions,
  all: Candidates,
  ends: Ends | null,
): Promise<Lease | null> {
  let told: string | undefined;
  while (!options.signal.aborted) {
    const candidates = ends === null ? await all.now() : ends.left;
    if (candidates.length === 0) return null;
    let holder: Holder | undefined;
    for (const partition of candidates) {
      const found = await claimPatiently(deps, options, partition, 'partition');
      if (found.kind === 'granted') return found.lease;
      if (ends !== null && (await ends.reachedByOwner(partition))) continue;
      holder = found.holder;
    }
    if (holder === undefined) continue;
    const name = `${holder.owner} on ${holder.hostname}`;
    if (told !== name) {
      told = name;
      deps.report({
        kind: 'standing by',
        partition: candidates.length === 1 ? candidates[0]! : null,
        holder: name,
      });
    }
    await sleep(standbyMs, undefined, { signal: options.signal }).catch(() => undefined);
  }
  return null;
}
