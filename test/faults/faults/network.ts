/** What happens to a host: its link is cut without a sign for half a minute. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Damage, type Fault, ownersNow } from '../world.ts';
import { within } from './processes.ts';

const cutMs = 30_000;
/** How long one that was cut off may take to be at work or to stand by again, ms. */
const backMs = 30_000;

export const cutLink: Fault = {
  kind: 'the link of a consumer host down for 30 s',
  missing: ({ stack }) => (stack.hosts ? null : 'needs root and network namespaces (test/faults/start)'),
  async run(world, _hold, random): Promise<Damage> {
    const hosts = world.stack.hosts!;
    const { consumer, hostname, partitions } = random.pick(await ownersNow(world));
    const from = Date.now();
    await hosts.cut(consumer.name);
    await sleep(cutMs);
    const said = consumer.logSize();
    await hosts.mend(consumer.name);
    return {
      detail: hostname,
      from,
      partitions,
      notBy: hostname,
      within,
      // It stands by or owns something again, or its supervisor has started it anew.
      after: async () => {
        // A member of a group may be given nothing when it is back, and has nothing to say then. Should it have ended, its
        // supervisor tells.
        if (world.options.share === 'group') return [];
        const deadline = performance.now() + backMs;
        while (performance.now() < deadline) {
          if (/standing by|consuming/.test(consumer.said(said))) return [];
          await sleep(200);
        }
        return [`${hostname} did not come back within ${backMs} ms of its link`];
      },
    };
  },
};
