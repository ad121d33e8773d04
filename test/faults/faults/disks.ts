/** What happens to disks: full, and then not. */
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../binary.ts';
import { fill, release } from '../disks.ts';
import { allPartitions, type Fault, type World } from '../world.ts';

const missing = ({ stack }: Pick<World, 'stack'>) =>
  stack.disks ? null : 'needs root and mounts of its own (test/faults/start)';
/** How long an upload may take once there is room again, ms. */
const uploadMs = 60_000;

export const fullDatabase: Fault = {
  kind: 'a full disk of the database',
  hold: [3000, 8000],
  alone: true,
  missing,
  async run(world, holdMs) {
    const disk = world.stack.disks!.database;
    const bytes = await fill(disk);
    // Rows go into what is free within the tables' own pages at first.
    await sleep(holdMs);
    await release(disk);
    return {
      detail: `${(bytes / 2 ** 20).toFixed(0)} MiB taken for ${(holdMs / 1000).toFixed(1)} s`,
      from: Date.now(),
      partitions: allPartitions(world),
    };
  },
};

export const fullStore: Fault = {
  kind: 'a full disk of the object store',
  hold: [2000, 5000],
  alone: true,
  missing,
  async run(world, holdMs, random) {
    const disk = world.stack.disks!.store;
    const { dir, keys } = await world.moreImages(random.whole(5, 20));
    await fill(disk);
    const began = Date.now();
    const tried = await run(['upload', dir, '--json'], world.dir, world.env, {
      killAfterMs: 60_000,
      stopAfterMs: holdMs,
    });
    const problems = tried.code === 0 ? ['an upload to a full disk ended with 0'] : [];
    await sleep(Math.max(0, began + holdMs - Date.now()));
    await release(disk);
    const from = Date.now();
    const again = await run(['upload', dir, '--json'], world.dir, world.env, { killAfterMs: uploadMs });
    if (again.code !== 0)
      problems.push(`upload ended with ${again.code} after there was room again: ${again.stderr}`);
    return {
      detail: `${keys} images, ${tried.stderr.trim().split('\n').at(-1) ?? ''}`.slice(0, 160),
      from,
      seconds: (Date.now() - from) / 1000,
      partitions: allPartitions(world),
      problems,
    };
  },
};
