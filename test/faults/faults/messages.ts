/** What happens to messages: a burst of them comes a second time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { allPartitions, type Fault } from '../world.ts';

export const duplicateBurst: Fault = {
  kind: 'a burst of duplicates',
  missing: () => null,
  async run(world, _hold, random) {
    const count = random.whole(50, 200);
    const from = Date.now();
    world.belt.echo(count);
    await sleep(200);
    return { detail: `${count} messages again`, from, partitions: allPartitions(world) };
  },
};
