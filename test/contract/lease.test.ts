/** The lease: four seconds by the database's clock, whatever the process's says, and renewed well before they are over. */
import type { Pool } from 'pg';
import { expect, it, onTestFinished, vi } from 'vitest';
import { LeaseKeeper } from '../../src/lib/pipeline/consume/partition/leases.ts';
import {
  claim,
  type Lease,
  type OwnerReport,
  readOwners,
  release,
  renew,
  renewTogether,
} from '../../src/lib/systems/database/tables/owners.ts';
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

const expiryMs = async (pool: Pool) =>
  (await pool.query<{ at: Date }>('select expires_at as at from owners')).rows[0]!.at.getTime();

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

it('says since when it is in a state, expired and released ones too', async () => {
  const { pool, lease } = await setUp();
  const since = async () => (await readOwners(pool, 'p', 't'))[0]!.since.getTime();
  await renew(pool, lease, report);
  const consuming = await since();
  await renew(pool, lease, report);
  await renewTogether(pool, [{ lease, report }]);
  expect(await since()).toBe(consuming);
  for (const goesOn of [
    () => renew(pool, lease, report),
    () => renewTogether(pool, [{ lease, report }]),
    () => release(pool, lease, 'released'),
  ]) {
    await pool.query(`update owners set since = now() - interval '1 hour', expires_at = clock_timestamp()`);
    const expired = await since();
    expect(expired).toBe(await expiryMs(pool));
    await goesOn();
    expect(await since()).toBeGreaterThanOrEqual(expired);
  }
});

it('is renewed with others in one statement, and lost alone', async () => {
  const { pool } = await setUp();
  const leases = new LeaseKeeper(pool);
  const lost: number[] = [];
  const held = [];
  for (const partition of [1, 2, 3]) {
    const found = await claim(
      pool,
      { ...id, partition },
      { owner: 'first', hostname: 'h', mode: 'partition' },
    );
    if (found.kind !== 'granted') throw new Error(found.kind);
    held.push(
      leases.hold(
        found.lease,
        () => report,
        () => lost.push(partition),
      ),
    );
  }
  const states = async (state: string) =>
    (
      await pool.query<{ partition: number }>('select partition from owners where state = $1 order by 1', [
        state,
      ])
    ).rows.map(({ partition }) => partition);
  await vi.waitFor(async () => expect(await states('consuming')).toEqual([1, 2, 3]));

  // Somebody has taken one of them, and somebody locks another: the third is renewed all the same.
  await pool.query(
    `update owners set owner = 'other', epoch = epoch + 1, state = 'starting' where partition = 2`,
  );
  const locking = await pool.connect();
  onTestFinished(() => locking.release(true));
  await locking.query('begin');
  await locking.query('select from owners where partition = 1 for update');
  await pool.query(`update owners set state = 'old' where partition = 3`);
  for (const one of held) one.tell();
  await vi.waitFor(() => expect(lost).toEqual([2]));
  await vi.waitFor(async () => expect(await states('consuming')).toEqual([1, 3]));
  expect(await states('starting')).toEqual([0, 2]);

  const gone = held.map((one) => one[Symbol.asyncDispose]());
  await locking.query('rollback');
  await Promise.all(gone);
  expect(await states('released')).toEqual([1, 3]);
});

it('is not taken over while its owner records, which no renewal waits for', async () => {
  const { pool, lease } = await setUp();
  const recording = await pool.connect();
  onTestFinished(() => recording.release(true));
  await recording.query('begin');
  // As the recording transaction does (record.ts).
  await recording.query('select from owners where owner = $1 for key share', [lease.owner]);
  expect(await renew(pool, lease, report)).toBe(true);
  await pool.query('update owners set expires_at = clock_timestamp()');
  let taken = false;
  const taking = take(pool, 'second').then(() => (taken = true));
  await vi.waitFor(async () =>
    expect(
      (
        await pool.query(
          `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
        )
      ).rowCount,
    ).toBe(1),
  );
  expect(taken).toBe(false);
  await recording.query('commit');
  await taking;
});

it('is renewed at once, and again before half of it is over', async () => {
  const { pool, lease } = await setUp();
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const held = new LeaseKeeper(pool).hold(
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
