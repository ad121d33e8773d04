/** The recording transaction: whose lease is over writes nothing, however late it finds out. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { insertLetters } from '../../src/lib/systems/database/record/outcome-rows.ts';
import type { DeadLetter, Prediction } from '../../src/lib/systems/database/record/outcome.ts';
import { OwnershipLostError, record } from '../../src/lib/systems/database/record/record.ts';
import { claim, type Lease, skipGap } from '../../src/lib/systems/database/tables/owners.ts';
import { testDatabase } from '../support/database.ts';

const id = { pipeline: 'p', topic: 't', partition: 0 };
const claimant = (owner: string) => ({ owner, hostname: 'h', mode: 'partition' as const });

async function leaseOf(
  pool: Awaited<ReturnType<typeof testDatabase>>['pool'],
  owner: string,
): Promise<Lease> {
  const found = await claim(pool, id, claimant(owner));
  if (found.kind !== 'granted') throw new Error(found.kind);
  return found.lease;
}

const asked = { bucket: null, inline: null, capturedAt: null, belt: null, traceparent: null, alone: null };

function prediction(offset: number, novelty?: number): Prediction {
  const model = { name: 'm', version: '1', digest: `sha256:${'0'.repeat(64)}`, labels: ['thing'] };
  return {
    kind: 'prediction',
    record: { ...id, offset, timestamp: 1, key: null, value: Buffer.from('k'), headers: {} },
    request: { ...asked, id: `r${offset}`, imageKey: 'k' },
    classification: {
      model,
      top: [{ category: 'thing', confidence: 9 }],
      stages: { decode: 0, preprocess: 0, infer: 0 },
      ...(novelty !== undefined && { novelty }),
    },
    fetchMs: 0,
    times: { received: 0, fetching: 0, fetched: 0, classified: 0 },
  };
}

async function setUp() {
  const database = await testDatabase();
  onTestFinished(() => database[Symbol.asyncDispose]());
  const { pool } = database;
  const put = (lease: Lease, offset: number) => {
    const outcome = prediction(offset);
    return record(pool, lease, { outcomes: [outcome], last: outcome.record, hostname: 'h' });
  };
  const state = async () => ({
    rows: (
      await pool.query<{ id: string }>('select request_id as id from prediction_results order by 1')
    ).rows.map((r) => r.id),
    position: (await pool.query<{ n: number }>('select next_offset as n from positions')).rows[0]?.n ?? null,
  });
  return { pool, put, state };
}

describe('dead letters', () => {
  it('are numbered in the order of their messages, whatever plan the database chooses', async () => {
    const { pool } = await setUp();
    const letters = [...Array(200).keys()].map((offset): DeadLetter => {
      const { record: message, request } = prediction(offset);
      const why = { stage: 'fetch', code: 'not_found', message: 'gone' } as const;
      return {
        kind: 'dead letter',
        record: message,
        ...why,
        requestId: request.id,
        imageKey: 'k',
        belt: null,
        traceparent: null,
      };
    });
    const client = await pool.connect();
    try {
      await client.query('set enable_nestloop = off; set enable_mergejoin = off');
      await insertLetters(client, { ...id, hostname: 'h', publish: true }, letters);
      for (const query of [
        'select "offset"::int as n from dead_letters order by id',
        `select (payload->>'offset')::int as n from outbox order by id`,
      ]) {
        const { rows } = await client.query<{ n: number }>(query);
        expect(rows.map(({ n }) => n)).toEqual([...Array(200).keys()]);
      }
    } finally {
      client.release(true);
    }
  });
});

describe('record', () => {
  it('refuses an owner whose lease another one has taken, and writes nothing for it', async () => {
    const { pool, put, state } = await setUp();
    const former = await leaseOf(pool, 'former');
    await put(former, 0);
    await pool.query('update owners set expires_at = clock_timestamp()');
    const present = await leaseOf(pool, 'present');
    expect(present).toMatchObject({ epoch: former.epoch + 1, orphaned: true });
    await put(present, 1);
    await expect(put(former, 2)).rejects.toThrow(OwnershipLostError);
    await skipGap(pool, former, 9);
    expect(await state()).toEqual({ rows: ['r0', 'r1'], position: 2 });
  });

  it('refuses the same owner in an epoch that is over', async () => {
    const { pool, put, state } = await setUp();
    const before = await leaseOf(pool, 'us');
    await pool.query('update owners set expires_at = clock_timestamp()');
    await leaseOf(pool, 'us');
    await expect(put(before, 0)).rejects.toThrow(OwnershipLostError);
    expect(await state()).toEqual({ rows: [], position: null });
  });

  it('keeps what the model said of novelty, whatever number it is, and null where it said nothing', async () => {
    const { pool } = await setUp();
    const lease = await leaseOf(pool, 'us');
    const said = [undefined, 0, 0.1, 1, 1e-50, 1e300, Infinity, NaN];
    const outcomes = said.map((novelty, n) => prediction(n, novelty));
    await record(pool, lease, { outcomes, last: outcomes.at(-1)!.record, hostname: 'h' });
    const { rows } = await pool.query<{ novelty: number | null }>(
      'select novelty from prediction_results order by "offset"',
    );
    const most = expect.closeTo(3.4e38, -37) as number;
    expect(rows.map(({ novelty }) => novelty)).toEqual([null, 0, 0.1, 1, 0, most, most, null]);
  });

  it('moves no position without its rows', async () => {
    const { pool, put, state } = await setUp();
    const lease = await leaseOf(pool, 'us');
    await pool.query(`alter table prediction_results add check (request_id <> 'r1')`);
    await put(lease, 0);
    await expect(put(lease, 1)).rejects.toThrow(/check constraint/);
    expect(await state()).toEqual({ rows: ['r0'], position: 1 });
  });

  it('moves the position over a gap, never back', async () => {
    const { pool, put, state } = await setUp();
    const lease = await leaseOf(pool, 'us');
    await put(lease, 4);
    await skipGap(pool, lease, 7);
    await skipGap(pool, lease, 2);
    expect((await state()).position).toBe(7);
  });
});
