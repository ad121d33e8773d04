/** What happens to servers: PostgreSQL, the object store, one broker killed and started again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { allPartitions, type Fault } from '../world.ts';

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

export const killDatabase: Fault = {
  kind: 'kill -9 of PostgreSQL',
  hold: [0, 8000],
  // The embedded one is not started for ever.
  most: 4,
  missing: () => null,
  async run(world, holdMs) {
    const began = Date.now();
    await world.stack.killDatabase();
    // The embedded one is started again at once by its keeper.
    if (world.stack.kind === 'real') await sleep(holdMs);
    await world.stack.restartDatabase();
    const from = Date.now();
    return { detail: `away for ${seconds(from - began)}`, from, partitions: allPartitions(world) };
  },
};

export const killStore: Fault = {
  kind: 'the object store away',
  hold: [1000, 8000],
  alone: true,
  missing: () => null,
  async run(world, holdMs) {
    const began = Date.now();
    await world.stack.killStore();
    await sleep(holdMs);
    await world.stack.restartStore();
    const from = Date.now();
    return { detail: `for ${seconds(from - began)}`, from, partitions: allPartitions(world) };
  },
};

export const killBroker: Fault = {
  kind: 'kill -9 of one broker',
  hold: [3000, 12_000],
  alone: true,
  missing: ({ stack }) => (stack.brokers > 1 ? null : 'the topic is embedded'),
  async run(world, holdMs, random) {
    const broker = random.whole(1, world.stack.brokers);
    const from = Date.now();
    await world.stack.killBroker(broker);
    await sleep(holdMs);
    await world.stack.restartBroker(broker);
    return {
      detail: `broker ${broker} for ${seconds(Date.now() - from)}`,
      from,
      partitions: allPartitions(world),
      pauseUntil: Date.now() + 10_000,
    };
  },
};

export const slowStore: Fault = {
  kind: 'a slow object store',
  hold: [3000, 8000],
  missing: ({ stack }) => (stack.throttle ? null : 'the store is a directory'),
  async run(world, holdMs, random) {
    const throttle = world.stack.throttle!;
    throttle.delayMs = random.whole(50, 400);
    throttle.bytesPerSecond = 20_000;
    const detail = `${throttle.delayMs} ms and 20 kB/s for ${seconds(holdMs)}`;
    await sleep(holdMs);
    throttle.delayMs = 0;
    throttle.bytesPerSecond = Infinity;
    return { detail, from: Date.now(), partitions: allPartitions(world) };
  },
};

export const silentStore: Fault = {
  kind: 'an object store that takes and never answers',
  hold: [2000, 10_000],
  alone: true,
  missing: ({ stack }) => (stack.throttle ? null : 'the store is a directory'),
  async run(world, holdMs) {
    const throttle = world.stack.throttle!;
    throttle.delayMs = holdMs;
    await sleep(holdMs);
    throttle.delayMs = 0;
    return { detail: `for ${seconds(holdMs)}`, from: Date.now(), partitions: allPartitions(world) };
  },
};
