/** What a consumer tells of itself in its row, and what is read of versions that tell less. */
import type { Pool } from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { ObjectError } from '../../src/lib/base/errors.ts';
import { Presence } from '../../src/lib/pipeline/consume/presence.ts';
import { ServerWatch } from '../../src/lib/pipeline/server-watch.ts';
import {
  type ConsumerReport,
  hear,
  readConsumers,
  rewriteSilent,
} from '../../src/lib/systems/database/tables/consumers.ts';
import { testDatabase } from '../support/database.ts';

const id = {
  ...{ owner: 'h:1:a', pipeline: 'p', topic: 't', hostname: 'h' },
  ...{ share: 'any' as const, partition: null },
};
const report: ConsumerReport = {
  ...{ state: 'consuming', detail: null, model: 'm', modelDigest: 'd', engine: 'onnx', drift: null },
  ...{ imagesLastMinute: 1, cpuCores: null, memoryBytes: 98_304 },
};

async function setUp() {
  const database = await testDatabase();
  onTestFinished(() => database[Symbol.asyncDispose]());
  const { pool } = database;
  const costs = async () =>
    (await readConsumers(pool, 'p', 't')).map(({ cpuCores, memoryBytes }) => ({ cpuCores, memoryBytes }));
  return { pool, costs };
}

it('tells what its processes cost, each time anew', async () => {
  const { pool, costs } = await setUp();
  await hear(pool, id, report);
  expect(await costs()).toEqual([{ cpuCores: null, memoryBytes: 98_304 }]);
  await hear(pool, id, { ...report, cpuCores: 1.834, memoryBytes: 5_000_000_000 });
  expect(await costs()).toEqual([{ cpuCores: 1.834, memoryBytes: 5_000_000_000 }]);
});

it('leaves open what an earlier version does not tell', async () => {
  const { pool, costs } = await setUp();
  await pool.query(
    `insert into consumers (owner, pipeline, topic, hostname, share, state, images_last_minute, expires_at)
     values ('h:2:b', 'p', 't', 'h', 'any', 'consuming', 7, clock_timestamp() + interval '4 s')
     on conflict (owner) do update set images_last_minute = excluded.images_last_minute`,
  );
  expect(await costs()).toEqual([{ cpuCores: null, memoryBytes: null }]);
});

it('is in a state since it began, or since it is heard again', async () => {
  const { pool } = await setUp();
  const since = async () => (await readConsumers(pool, 'p', 't'))[0]!.since;
  await hear(pool, id, report);
  const first = await since();
  await hear(pool, id, { ...report, imagesLastMinute: 2 });
  expect(await since()).toEqual(first);
  await pool.query('update consumers set expires_at = clock_timestamp()');
  await hear(pool, id, report);
  expect((await since()).getTime()).toBeGreaterThan(first.getTime());
});

it('is not taken for silent where nothing can be written, and is not changed by that question', async () => {
  const { pool } = await setUp();
  await hear(pool, id, report);
  await pool.query(`update consumers set expires_at = clock_timestamp() - interval '1 s'`);
  const before = await readConsumers(pool, 'p', 't');
  await rewriteSilent(pool, id);
  expect(await readConsumers(pool, 'p', 't')).toEqual(before);
  const readOnly = await pool.connect();
  onTestFinished(() => readOnly.release(true));
  await readOnly.query('set default_transaction_read_only = on');
  const asked = rewriteSilent({ query: readOnly.query.bind(readOnly) } as unknown as Pool, id);
  await expect(asked).rejects.toThrow('read-only transaction');
});

it('waits as a whole when all of its partitions do, or a server is away', async () => {
  const { pool } = await setUp();
  const servers = new ServerWatch();
  const { signal } = new AbortController();
  await using presence = new Presence(
    { pool, classifier: () => null, signal, servers, drifts: () => [] },
    { ...id, share: 'any' },
  );
  const read = async () => (await readConsumers(pool, 'p', 't')).map(({ state, detail }) => [state, detail]);
  const told = () => expect.poll(read, { timeout: 20_000 });
  await told().toEqual([['starting', null]]);
  for (const partition of [0, 1]) presence.see({ kind: 'owning', partition, epoch: 1, from: 0, lag: 0 });
  presence.see({ kind: 'waiting', partition: 1, reason: 'its model is damaged' });
  await told().toEqual([['consuming', null]]);
  presence.see({ kind: 'waiting', partition: 0, reason: 'access denied' });
  await told().toEqual([['waiting', 'access denied']]);
  presence.see({ kind: 'going on', partition: 1 });
  await told().toEqual([['consuming', null]]);
  const away = new ObjectError('away', { code: 'unavailable', retryable: true });
  await expect(servers.opening('store', () => Promise.reject(away))).rejects.toBe(away);
  await told().toEqual([['waiting', 'away']]);
});
