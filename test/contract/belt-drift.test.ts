/** What consumers share of belts that change: the reference in the database, and what they tell in their rows. */
import type { Pool } from 'pg';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { ConsumeEvent } from '../../src/lib/pipeline/consume/options.ts';
import { DriftWatch } from '../../src/lib/pipeline/drift/drift.ts';
import type { NewPrediction, Outcome } from '../../src/lib/systems/database/record/outcome.ts';
import { forgetReferences } from '../../src/lib/systems/database/tables/belt-references.ts';
import {
  type ConsumerReport,
  type Drift,
  hear,
  readConsumers,
} from '../../src/lib/systems/database/tables/consumers.ts';
import { testDatabase } from '../support/database.ts';

const patience = { timeout: 20_000 };
const time = Date.parse('2026-11-28T14:20:00Z');

interface Shown {
  belt?: string | null;
  unknown?: boolean;
  category?: string;
  digest?: string;
  isNew?: boolean;
}

class Consumer {
  readonly watch: DriftWatch;
  readonly told: Extract<ConsumeEvent, { kind: 'drift' }>[] = [];
  #images = 0;

  constructor(pool: Pool | null) {
    this.watch = new DriftWatch({
      pool: () => pool,
      pipeline: 'p',
      report: (event) => {
        if (event.kind === 'drift') this.told.push(event);
      },
    });
    this.watch.see({ kind: 'owning', partition: 0, epoch: 1, from: 0, lag: 0 });
  }

  /** Recorded in groups of 20. */
  show(images: number, shown: Shown): void {
    for (let n = 0; n < images; n += 20) this.#record(Math.min(20, images - n), shown);
  }

  #record(
    images: number,
    { belt = 'north', unknown = false, category = 'a', digest = 'd', isNew = true }: Shown,
  ) {
    const outcomes = Array.from({ length: images }, () => {
      const n = this.#images++;
      return {
        kind: 'prediction',
        record: { timestamp: time + n * 1000 },
        request: { id: `${n}`, belt, capturedAt: null },
        classification: {
          model: { name: 'm', version: '1', digest, labels: [] },
          top: [{ category, confidence: 90 }],
          novelty: unknown ? 1 : 0.5,
        },
      } as unknown as Outcome;
    });
    const predictions = (isNew ? outcomes : []).map(
      (outcome) => ({ requestId: outcome.kind === 'prediction' ? outcome.request.id : '' }) as NewPrediction,
    );
    const counts = { predicted: images, deadLettered: 0, ignored: 0, lag: 0, oldest: null };
    this.watch.see({
      ...{ kind: 'recorded', partition: 0, ...counts, outcomes, predictions },
      ...{ began: time, ended: time },
    });
  }

  get kinds(): string[] {
    return this.watch.drifts().map(({ kind }) => kind);
  }
}

async function setUp(): Promise<Pool> {
  const database = await testDatabase();
  onTestFinished(() => database[Symbol.asyncDispose]());
  return database.pool;
}

const references = async (pool: Pool) =>
  (
    await pool.query<{ belt: string; digest: string }>(
      'select belt, model_digest as digest from belt_references',
    )
  ).rows;

/** A consumer that has made the belt's reference. */
async function begun(pool: Pool): Promise<Consumer> {
  const consumer = new Consumer(pool);
  consumer.show(500, {});
  await vi.waitFor(async () => {
    consumer.show(20, {});
    expect(await references(pool)).toEqual([{ belt: 'north', digest: 'd' }]);
  }, patience);
  return consumer;
}

/** Shows unknown images until that is noticed: the reference may still be on its way to the consumer. */
async function drifts(consumer: Consumer): Promise<void> {
  await vi.waitFor(() => {
    consumer.show(20, { unknown: true });
    expect(consumer.kinds).toEqual(['unknown']);
  }, patience);
}

it('keeps what a belt showed first, and another consumer compares with it from its own first images on', async () => {
  const pool = await setUp();
  await begun(pool);
  const second = new Consumer(pool);
  await drifts(second);
  expect(second.told).toMatchObject([
    { over: false, drift: { belt: 'north', model: { name: 'm', digest: 'd' }, from: 0, to: 100 } },
  ]);
  expect(await references(pool)).toHaveLength(1);

  // All is well again with the first consumer's images.
  second.show(1000, {});
  expect(second.told.map(({ over }) => over)).toEqual([false, true]);
  expect(second.kinds).toEqual([]);
});

it('learns a belt anew when somebody accepts it as it is', async () => {
  const pool = await setUp();
  const consumer = await begun(pool);
  await drifts(consumer);
  expect(await forgetReferences(pool, 'p', 'south')).toBe(0);
  expect(await forgetReferences(pool, 'p', 'north')).toBe(1);
  const now = performance.now();
  const later = vi.spyOn(performance, 'now').mockReturnValue(now + 6000);
  onTestFinished(() => later.mockRestore());
  await vi.waitFor(() => {
    consumer.show(20, { unknown: true });
    expect(consumer.kinds).toEqual([]);
  }, patience);
});

it('sees only new rows, and forgets belts whose partition is another consumer’s now', async () => {
  const pool = await setUp();
  const consumer = await begun(pool);
  consumer.show(500, { unknown: true, isNew: false });
  expect(consumer.kinds).toEqual([]);
  await drifts(consumer);
  consumer.watch.see({ kind: 'lost', partition: 0, epoch: 1 });
  expect(consumer.kinds).toEqual([]);
});

it('begins anew with another model', async () => {
  const pool = await setUp();
  const consumer = await begun(pool);
  await drifts(consumer);
  consumer.show(500, { unknown: true, digest: 'e' });
  expect(consumer.kinds).toEqual([]);
});

it('watches fifty belts, one of which may be images without a belt', () => {
  const consumer = new Consumer(null);
  for (let n = 0; n < 60; n++) consumer.show(100, { belt: n === 0 ? null : `belt ${n}` });
  expect(consumer.watch.belts().map(({ belt }) => belt)).toEqual([
    null,
    ...Array.from({ length: 49 }, (_, n) => `belt ${n + 1}`),
  ]);
});

it('is told in a consumer’s row', async () => {
  const pool = await setUp();
  const id = {
    ...{ owner: 'h:1:a', pipeline: 'p', topic: 't', hostname: 'h' },
    ...{ share: 'any' as const, partition: null },
  };
  const drift: Drift = {
    ...{ belt: 'north', model: { name: 'm', version: '1', digest: 'd' }, kind: 'unknown' },
    ...{ since: new Date(time).toISOString(), from: 1, to: 9, category: null },
  };
  const report: ConsumerReport = {
    ...{ state: 'consuming', detail: null, model: 'm', modelDigest: 'd', engine: 'onnx' },
    ...{ imagesLastMinute: 1, drift: [drift], cpuCores: null, memoryBytes: null },
  };
  const told = async () => (await readConsumers(pool, 'p', 't')).map((row) => row.drift);
  await hear(pool, id, report);
  expect(await told()).toEqual([[drift]]);
  await hear(pool, id, { ...report, drift: null });
  expect(await told()).toEqual([null]);
});
