/** Owns one partition of several candidates at a time; stands by while others own them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Holder, Lease } from '../database/owners.ts';
import { claimPatiently } from './claim.ts';
import type { ConsumeDeps, ConsumeOptions, Shared } from './deps.ts';
import { Ends } from './drained.ts';
import { consumeUntilAway } from './until-away.ts';

/** How often a standby looks whether a lease has come free. */
const standbyMs = 250;

export async function consumeOne(
  deps: ConsumeDeps & Shared,
  options: ConsumeOptions,
  candidates: number[],
): Promise<void> {
  const ends = options.untilDrained ? await Ends.at(deps.pool, deps.topic, options, candidates) : null;
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
  all: number[],
  ends: Ends | null,
): Promise<Lease | null> {
  let told: string | undefined;
  while (!options.signal.aborted) {
    const candidates = ends === null ? all : ends.left;
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
