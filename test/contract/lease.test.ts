/** The lease: four seconds by the database's clock, whatever the process's says, and renewed well before they are over. */
import type { Pool } from 'pg';
import { expect, it, onTestFinished, vi } from 'vitest';
import { holdLease } from '../../src/lib/pipeline/consume/partition/partition.ts';
import { claim, type Lease, type OwnerReport, renew } from '../../src/lib/systems/database/tables/owners.ts';
import { testDatabase } from '../support/database.ts';

/** Not the code's own constant: a killed owner costs its partition so much, as DESIGN.md promises. */
const promisedMs = 4000;

const id = { pipeline: 'p', topic: 't', partition: 0 };
const report: OwnerReport = {
  state: 'consuming',
  detail: null,
  model: null,
  modelDigest: null,
  engine: null,
};

async function setUp() {
  const database = await testDatabase();
  onTestFinished(() => database[Symbol.asyncDispose]());
  const { pool } = database;
  const lease = await take(pool, 'first');
  return { pool, lease };
}

async function take(pool: Pool, owner: string): Promise<Lease> {
  const found = await claim(pool, id, { owner, hostname: 'h', mode: 'partition' });
  if (found.kind !== 'granted') throw new Error(found.kind);
  return found.lease;
}

const clock = async (pool: Pool) =>
  (await pool.query<{ ms: number }>('select extract(epoch from clock_timestamp())::float8 * 1000 as ms'))
    .rows[0]!.ms;
const expiry = async (pool: Pool) =>
  (await pool.query<{ ms: number }>('select extract(epoch from expires_at)::float8 * 1000 as ms from owners'))
    .rows[0]!.ms;

/** Between the same two looks at the database's clock, `work` has set an expiry as far away as promised. */
async function lasts(pool: Pool, work: () => Promise<unknown>): Promise<void> {
  const before = await clock(pool);
  await work();
  const after = await clock(pool);
  const begun = (await expiry(pool)) - promisedMs;
  expect(begun).toBeGreaterThanOrEqual(before);
  expect(begun).toBeLessThanOrEqual(after);
}

it('lasts four seconds from its claim, its takeover and each renewal', async () => {
  const { pool, lease } = await setUp();
  await lasts(pool, () => renew(pool, lease, report));
  await pool.query('update owners set expires_at = clock_timestamp()');
  await lasts(pool, () => take(pool, 'second'));
  await pool.query('delete from owners');
  await lasts(pool, () => take(pool, 'third'));
});

it('is nobody else’s until then, and anybody’s after', async () => {
  const { pool } = await setUp();
  const ask = async () => (await claim(pool, id, { owner: 'other', hostname: 'h', mode: 'partition' })).kind;
  await pool.query(`update owners set expires_at = clock_timestamp() + interval '1 hour'`);
  expect(await ask()).toBe('held');
  await pool.query(`update owners set expires_at = clock_timestamp() - interval '1 millisecond'`);
  expect(await ask()).toBe('granted');
});

it('is renewed at once, and again before half of it is over', async () => {
  const { pool, lease } = await setUp();
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const held = holdLease(
    pool,
    lease,
    () => report,
    () => expect.fail('nobody has taken it'),
  );
  onTestFinished(() => held[Symbol.asyncDispose]());

  /** Resolves when a renewal has been written. */
  const renewed = async () => {
    while ((await expiry(pool)) === 0);
  };
  const forget = () => pool.query(`update owners set expires_at = 'epoch'`);
  await vi.waitFor(async () =>
    expect((await pool.query(`select from owners where state = 'consuming'`)).rowCount).toBe(1),
  );
  for (let beat = 0; beat < 3; beat++) {
    await forget();
    vi.advanceTimersByTime(promisedMs / 2);
    await renewed();
    expect((await expiry(pool)) - (await clock(pool))).toBeLessThanOrEqual(promisedMs);
  }
});
