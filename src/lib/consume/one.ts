/** Owns one partition of several candidates at a time; stands by while others own them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Holder, Lease } from '../database/owners.ts';
import { claimPatiently } from './claim.ts';
import type { ConsumeDeps, ConsumeOptions } from './deps.ts';
import { consumeUntilAway } from './until-away.ts';

/** How often a standby looks whether a lease has come free. */
const standbyMs = 500;

export async function consumeOne(
  deps: ConsumeDeps,
  options: ConsumeOptions,
  candidates: number[],
): Promise<void> {
  const ends = new Map<number, number>();
  if (options.untilDrained) {
    for (const partition of candidates) ends.set(partition, (await deps.topic.bounds(partition)).end);
  }
  while (!options.signal.aborted) {
    const lease = await standBy(deps, options, candidates);
    if (lease === null) return;
    const until = ends.get(lease.partition) ?? null;
    if ((await consumeUntilAway(deps, options, { lease, until })) === 'ended') return;
  }
}

/** Waits for the first candidate that comes free; null when asked to stop. */
async function standBy(
  deps: ConsumeDeps,
  options: ConsumeOptions,
  candidates: number[],
): Promise<Lease | null> {
  let told: string | undefined;
  while (!options.signal.aborted) {
    let holder: Holder | undefined;
    for (const partition of candidates) {
      const found = await claimPatiently(deps, options, partition, 'partition');
      if (found.kind === 'granted') return found.lease;
      holder = found.holder;
    }
    const name = holder ? `${holder.owner} on ${holder.hostname}` : 'others';
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
