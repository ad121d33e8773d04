/** What a consumer tells of itself in its row, and what is read of versions that tell less. */
import { expect, it, onTestFinished } from 'vitest';
import { type ConsumerReport, hear, readConsumers } from '../../src/lib/systems/database/tables/consumers.ts';
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
