/** How long it took after a fault until each partition it hit had a row again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Damage, World } from './world.ts';

export interface Recovery {
  kind: string;
  detail: string;
  /** Seconds from the kill, or from the end of the outage, to the next row of the partition that took longest; null: stuck. */
  seconds: number | null;
  /** Another fault went on at the time. */
  together: boolean;
}

/** Longest wait before a partition is called stuck, ms. */
export const stuckMs = 90_000;
const pollMs = 100;

/** Resolves when every partition has recorded something since; the rows themselves tell when. */
export async function recovered(world: World, damage: Damage): Promise<number | null> {
  if (damage.pauseUntil !== undefined) return longestPause(world, damage, damage.pauseUntil);
  const left = new Set(damage.partitions);
  const deadline = Math.max(damage.from, Date.now()) + stuckMs;
  let longest = 0;
  while (left.size > 0) {
    for (const { partition, time } of await rowsSince(world, damage, [...left])) {
      longest = Math.max(longest, time.getTime() - damage.from);
      left.delete(partition);
    }
    if (left.size === 0) break;
    if (Date.now() > deadline) return null;
    await sleep(pollMs);
  }
  return longest / 1000;
}

/** The first row of each partition after the fault, by anybody but the one that was hit. */
function rowsSince(world: World, { from, notBy }: Damage, partitions: number[]) {
  return world.inspector.rows<{ partition: number; time: Date }>(
    `select partition, min(time) as time from (
       select partition, time, hostname from prediction_results where time > $1
       union all
       select partition, first_at, hostname from dead_letters where first_at > $1) as r
     where hostname is distinct from $2 and partition = any($3)
     group by partition`,
    [new Date(from), notBy ?? null, partitions],
  );
}

async function longestPause(world: World, damage: Damage, until: number): Promise<number | null> {
  // Every partition has a row behind the end, so that no pause is cut short.
  if ((await recovered(world, { detail: '', from: until, partitions: damage.partitions })) === null)
    return null;
  const [found] = await world.inspector.rows<{ ms: number }>(
    `select max(extract(epoch from time - before) * 1000)::float8 as ms from (
       select time, coalesce(lag(time) over (partition by partition order by time), $1) as before
       from prediction_results where time > $1 and partition = any($2)) as r
     where before < $3`,
    [new Date(damage.from), damage.partitions, new Date(until)],
  );
  return found!.ms / 1000;
}
