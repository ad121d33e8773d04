/** What happens to processes: killed, told to stop, frozen past the lease. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../random.ts';
import { allPartitions, type Damage, type Fault, ownersNow, type Owned, type World } from '../world.ts';

const always = () => null;
/** What the loss of a host may cost, and more than any of these: in seconds. */
export const within = 15;
/** How long an owner is waited for, ms. */
const ownerPatienceMs = 30_000;
/** How long one that was frozen may take to notice that it has lost its partition, ms. */
const noticeMs = 15_000;

async function anOwner(world: World, random: Random): Promise<Owned> {
  const deadline = performance.now() + ownerPatienceMs;
  for (;;) {
    const owners = await ownersNow(world);
    if (owners.length > 0) return random.pick(owners);
    if (performance.now() > deadline)
      throw new Error(`nobody has owned a partition for ${ownerPatienceMs} ms`);
    await sleep(100);
  }
}

export const killConsumer: Fault = {
  kind: 'kill -9 of a consumer',
  missing: always,
  async run(world, _hold, random) {
    const { consumer, hostname, partitions } = await anOwner(world, random);
    const from = Date.now();
    consumer.signal('SIGKILL');
    return { detail: hostname, from, partitions, notBy: hostname, within };
  },
};

export const stopConsumer: Fault = {
  kind: 'SIGTERM of a consumer',
  missing: always,
  async run(world, _hold, random) {
    const { consumer, hostname, partitions } = await anOwner(world, random);
    const from = Date.now();
    consumer.signal('SIGTERM');
    return { detail: hostname, from, partitions, notBy: hostname, within };
  },
};

export const killProducer: Fault = {
  kind: 'kill -9 of the producer',
  missing: always,
  run(world) {
    const from = Date.now();
    const ran = world.producer.signal('SIGKILL');
    const damage: Damage = {
      detail: ran ? 'produce' : 'produce (was not running)',
      from,
      partitions: allPartitions(world),
    };
    return Promise.resolve(damage);
  },
};

export const freezeOwner: Fault = {
  kind: 'SIGSTOP of an owner past its lease',
  hold: [6000, 10_000],
  missing: always,
  async run(world, holdMs, random) {
    const { consumer, hostname, partitions } = await anOwner(world, random);
    const { pid } = consumer;
    const from = Date.now();
    consumer.signal('SIGSTOP');
    await sleep(holdMs);
    const said = consumer.logSize();
    consumer.signal('SIGCONT');
    return {
      detail: `${hostname} for ${(holdMs / 1000).toFixed(1)} s`,
      from,
      partitions,
      notBy: hostname,
      within,
      after: () => noticed(world, { consumer, hostname, partitions }, pid, said),
    };
  },
};

/**
 * As after a long stall or a jump of the database's clock: another owns the partition while this one is at work and has
 * not noticed yet. Only the check of the epoch keeps it from recording.
 */
export const takeLease: Fault = {
  kind: 'the lease of an owner at work taken away',
  missing: ({ options }) =>
    options.share === 'group' ? 'in a group nobody takes what is assigned to another' : null,
  async run(world, _hold, random) {
    const { consumer, hostname, partitions } = await anOwner(world, random);
    const partition = random.pick(partitions);
    const began = Date.now();
    const { pid } = consumer;
    const said = consumer.logSize();
    while (Date.now() - began < ownerPatienceMs) {
      await world.inspector.rows(
        `update owners set expires_at = clock_timestamp() - interval '1 second' where partition = $1 and hostname = $2`,
        [partition, hostname],
      );
      const holder = (await world.inspector.owners()).get(partition);
      if (holder !== undefined && holder !== hostname) break;
      await sleep(20);
    }
    const after = () => noticed(world, { consumer, hostname, partitions: [partition] }, pid, said);
    // Rows that come now are of another lease; the one that lost this may have the next.
    return { detail: hostname, from: Date.now(), partitions: [partition], within, after };
  },
};

/** How often it is frozen and let go until it is frozen in the middle of a transaction. */
const mostTries = 400;

/** Its session then holds row locks, which a takeover must not wait for. */
export const freezeInTransaction: Fault = {
  kind: 'SIGSTOP of an owner in the middle of a transaction',
  hold: [18_000, 20_000],
  alone: true,
  missing: always,
  async run(world, holdMs, random) {
    const { consumer, hostname, partitions } = await anOwner(world, random);
    const { pid } = consumer;
    for (let tries = 1; ; tries++) {
      const from = Date.now();
      consumer.signal('SIGSTOP');
      if ((await isInTransaction(world, hostname)) || tries === mostTries) {
        await sleep(holdMs);
        const said = consumer.logSize();
        consumer.signal('SIGCONT');
        const detail = `${hostname} for ${(holdMs / 1000).toFixed(1)} s, after ${tries} tries`;
        const after = () => noticed(world, { consumer, hostname, partitions }, pid, said);
        return { detail, from, partitions, notBy: hostname, within, after };
      }
      consumer.signal('SIGCONT');
      await sleep(random.whole(1, 15));
    }
  },
};

/** Others come out of theirs within milliseconds; that of a frozen one stays. */
async function isInTransaction(world: World, hostname: string): Promise<boolean> {
  await sleep(30);
  const open = await world.inspector.rows(
    `select from owners o
     join pg_locks l on l.relation = 'owners'::regclass and l.granted and l.mode = 'RowShareLock'
     join pg_stat_activity a on a.pid = l.pid
     where o.hostname = $1 and a.state = 'idle in transaction' and a.state_change < clock_timestamp() - interval '25 ms'`,
    [hostname],
  );
  return open.length > 0;
}

/** It must see that its partition is somebody else's, and live on. */
async function noticed(
  world: World,
  frozen: Owned,
  pid: number | undefined,
  said: number,
): Promise<string[]> {
  const deadline = performance.now() + noticeMs;
  const { consumer, hostname } = frozen;
  for (;;) {
    // Another fault may have ended it meanwhile.
    if (consumer.pid !== pid) return [];
    const text = consumer.said(said);
    if (/has another owner now|lost the partition|standing by|no longer|lost/i.test(text)) return [];
    const holders = await world.inspector.owners();
    // Nobody took it meanwhile: then it is its own still, by a new epoch or the old one.
    if (frozen.partitions.every((partition) => holders.get(partition) === hostname)) return [];
    if (performance.now() > deadline) {
      return [`${hostname} was frozen past its lease and did not notice within ${noticeMs} ms of its return`];
    }
    await sleep(100);
  }
}
