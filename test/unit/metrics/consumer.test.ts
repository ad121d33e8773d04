/** What a consumer's events come to in Prometheus: counts that equal the rows, base units, few series. */
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { consumerMetrics } from '../../../src/lib/observe/metrics/consumer.ts';
import type { ConsumeEvent, RecordedEvent } from '../../../src/lib/pipeline/consume/options.ts';
import type { BeltState } from '../../../src/lib/pipeline/drift/drift.ts';
import { noServers, type Servers } from '../../../src/lib/pipeline/server-watch.ts';
import type { NewPrediction, Outcome } from '../../../src/lib/systems/database/record/outcome.ts';
import { Exposition } from '../../support/exposition.ts';

const model = { name: 'parts', version: '2', digest: 'sha256:ab', labels: ['a'] };

/** Of a message of 10:00:00.000 that was taken 100 ms later, fetched in 20 ms, waited 5 ms for a thread and took 10 ms. */
const prediction = {
  kind: 'prediction',
  record: { topic: 't', partition: 1, offset: 7, timestamp: 1_000_000, key: null, value: null, headers: {} },
  request: { id: 'r', imageKey: 'k', capturedAt: null, belt: 'north' },
  classification: {
    model,
    top: [{ category: 'a', confidence: 90 }],
    stages: { decode: 4, preprocess: 1, infer: 5 },
  },
  fetchMs: 20,
  times: { received: 1_000_100, fetching: 1_000_100, fetched: 1_000_120, classified: 1_000_135 },
} as unknown as Outcome;

function row(row: Partial<NewPrediction> = {}): NewPrediction {
  return { requestId: 'r', belt: null, bin: null, binReason: null, latencyMs: null, ...row };
}

function recorded(event: Partial<RecordedEvent> = {}): RecordedEvent {
  const counts = { predicted: 0, deadLettered: 0, ignored: 0, lag: 0, oldest: null };
  const times = { began: 1_000_140, ended: 1_000_143 };
  return { kind: 'recorded', partition: 1, ...counts, outcomes: [], predictions: [], ...times, ...event };
}

function setUp() {
  const registry = new Registry();
  const load = { requests: 0, bytes: 0 };
  const sources = {
    inUse: null as { model: typeof model; engine: 'onnx' } | null,
    oldest: () => Promise.resolve<number | null>(null),
    lagKnown: true,
    modelProblem: null as string | null,
    belts: [] as BeltState[],
    servers: { ...noServers } as { away: Servers['away'] },
  };
  const hear = consumerMetrics(registry, {
    load,
    classifier: () => sources.inUse,
    servers: {
      ...noServers,
      get away() {
        return sources.servers.away;
      },
    },
    lagKnown: () => sources.lagKnown,
    modelProblem: () => sources.modelProblem,
    belts: () => sources.belts,
    oldestUnpublished: () => sources.oldest(),
  });
  const seen = async (...events: ConsumeEvent[]) => {
    events.forEach(hear);
    return new Exposition(await registry.metrics());
  };
  return { seen, sources, load };
}

describe('the metrics of a consumer', () => {
  it('shows belts that have changed, and what the model does not tell not at all', async () => {
    const { seen, sources } = setUp();
    const drift = { since: 1, from: 1, to: 9, category: null };
    sources.belts = [
      { belt: 'north', drifts: [{ ...drift, kind: 'unknown' }], unknown: 0.09, confidence: 0.9 },
      { belt: null, drifts: [], unknown: null, confidence: 0.5 },
    ];
    const exposition = await seen();
    const value = (belt: string, kind: string) => exposition.value('visionscale_belt_drift', { belt, kind });
    expect([value('north', 'unknown'), value('north', 'classes'), value('', 'unknown')]).toEqual([1, 0, 0]);
    expect(exposition.value('visionscale_belt_unknown_ratio', { belt: 'north' })).toBe(0.09);
    expect(exposition.value('visionscale_belt_unknown_ratio', { belt: '' })).toBeNull();
    expect(exposition.value('visionscale_belt_confidence_ratio', { belt: '' })).toBe(0.5);
    sources.belts = [];
    expect((await seen()).value('visionscale_belt_drift', { belt: 'north', kind: 'unknown' })).toBeNull();
  });

  it('counts what was new, whatever was worked on', async () => {
    const { seen } = setUp();
    const before = await seen();
    for (const outcome of ['predicted', 'dead_lettered', 'ignored'])
      expect(before.value('visionscale_requests_total', { outcome })).toBe(0);
    // Three were worked on, one of which had its row already.
    const after = await seen(
      recorded({ predicted: 2, deadLettered: 1, ignored: 4, outcomes: [prediction, prediction, prediction] }),
      recorded({ predicted: 3 }),
    );
    expect(after.value('visionscale_requests_total', { outcome: 'predicted' })).toBe(5);
    expect(after.value('visionscale_requests_total', { outcome: 'dead_lettered' })).toBe(1);
    expect(after.value('visionscale_requests_total', { outcome: 'ignored' })).toBe(4);
    expect(after.value('visionscale_stage_seconds_count', { stage: 'infer' })).toBe(3);
    expect(after.value('visionscale_stage_seconds_count', { stage: 'record' })).toBe(2);
  });

  it('tells queue, stages, compute and latency apart, in seconds', async () => {
    const { seen } = setUp();
    const metrics = await seen(recorded({ outcomes: [prediction], predictions: [row({ latencyMs: 143 })] }));
    const sum = (name: string, labels = {}) => metrics.value(`visionscale_${name}_sum`, labels);
    expect(sum('queue_seconds')).toBeCloseTo(0.1, 6);
    expect(sum('stage_seconds', { stage: 'fetch' })).toBeCloseTo(0.02, 6);
    expect(sum('stage_seconds', { stage: 'wait' })).toBeCloseTo(0.005, 6);
    expect(sum('stage_seconds', { stage: 'decode' })).toBeCloseTo(0.004, 6);
    expect(sum('stage_seconds', { stage: 'preprocess' })).toBeCloseTo(0.001, 6);
    expect(sum('stage_seconds', { stage: 'infer' })).toBeCloseTo(0.005, 6);
    expect(sum('stage_seconds', { stage: 'record' })).toBeCloseTo(0.003, 6);
    expect(sum('compute_seconds')).toBeCloseTo(0.01, 6);
    expect(sum('latency_seconds')).toBeCloseTo(0.143, 6);
    expect(metrics.value('visionscale_latency_seconds_bucket', { le: '0.1' })).toBe(0);
    expect(metrics.value('visionscale_latency_seconds_bucket', { le: '0.15' })).toBe(1);
  });

  it('takes no time to be negative, whatever the clocks of two hosts say', async () => {
    const { seen } = setUp();
    const ahead = structuredClone(prediction) as Extract<Outcome, { kind: 'prediction' }>;
    ahead.record.timestamp = 1_000_500;
    const metrics = await seen(recorded({ outcomes: [ahead] }));
    expect(metrics.value('visionscale_queue_seconds_sum')).toBe(0);
  });

  it('counts bins with their reasons, deadline misses and belts', async () => {
    const { seen } = setUp();
    const metrics = await seen(
      recorded({
        predictions: [
          row({ bin: 'steel', binReason: 'mapped', belt: 'north' }),
          row({ bin: 'steel', binReason: 'mapped', belt: 'south' }),
          row({ bin: 'manual', binReason: 'missed_deadline', belt: 'north' }),
          row(),
        ],
      }),
    );
    expect(metrics.value('visionscale_bins_total', { bin: 'steel', reason: 'mapped' })).toBe(2);
    expect(metrics.value('visionscale_bins_total', { bin: 'manual', reason: 'missed_deadline' })).toBe(1);
    expect(metrics.value('visionscale_deadline_misses_total')).toBe(1);
    expect(metrics.value('visionscale_belts_total', { belt: 'north' })).toBe(2);
    expect(metrics.value('visionscale_belts_total', { belt: '' })).toBe(1);
  });

  it('does not let senders make series without end', async () => {
    const { seen } = setUp();
    const predictions = Array.from({ length: 500 }, (_, n) => row({ belt: `belt "${n}"\n\\` }));
    const metrics = await seen(recorded({ predictions }));
    const belts = metrics.samples.filter(({ name }) => name === 'visionscale_belts_total');
    expect(belts).toHaveLength(51);
    expect(metrics.value('visionscale_belts_total', { belt: 'belt "7"\n\\' })).toBe(1);
    expect(metrics.value('visionscale_belts_total', { belt: 'other' })).toBe(450);
  });

  it('shows no lag while it cannot be known, and the last one known when it can', async () => {
    const { seen, sources } = setUp();
    const lag = (metrics: Exposition) => metrics.value('visionscale_lag_messages', { partition: '0' });
    expect(lag(await seen())).toBeNull();
    expect(lag(await seen({ kind: 'owning', partition: 0, epoch: 1, from: 0, lag: 9 }))).toBe(9);
    sources.lagKnown = false;
    expect(lag(await seen())).toBeNull();
    sources.lagKnown = true;
    expect(lag(await seen())).toBe(9);
  });

  it('shows whose lease it has, and the age of its last prediction once there is one', async () => {
    const { seen } = setUp();
    const age = 'visionscale_last_prediction_age_seconds';
    const lease = (metrics: Exposition) => metrics.value('visionscale_lease', { partition: '1' });
    const first = await seen({ kind: 'owning', partition: 1, epoch: 1, from: 0, lag: 9 }, recorded());
    expect([lease(first), first.value(age)]).toEqual([1, null]);
    const later = await seen(recorded({ predicted: 1 }), { kind: 'lost', partition: 1, epoch: 1 });
    expect(lease(later)).toBe(0);
    expect(later.value(age)).toBeGreaterThanOrEqual(0);
    expect(later.value(age)).toBeLessThan(5);
  });

  it('shows the lag of what is owned here, and nothing of what is not', async () => {
    const { seen } = setUp();
    const lag = (metrics: Exposition, partition: string) =>
      metrics.value('visionscale_lag_messages', { partition });
    const owning = await seen(
      { kind: 'owning', partition: 0, epoch: 1, from: 0, lag: 9 },
      { kind: 'owning', partition: 2, epoch: 1, from: 0, lag: 3 },
    );
    expect([lag(owning, '0'), lag(owning, '2')]).toEqual([9, 3]);
    const later = await seen(recorded({ partition: 0, lag: 8 }), {
      kind: 'lag',
      partition: 2,
      lag: 40,
      oldest: null,
    });
    expect([lag(later, '0'), lag(later, '2')]).toEqual([8, 40]);
    const gone = await seen(
      { kind: 'lost', partition: 0, epoch: 1 },
      { kind: 'released', partition: 0 },
      { kind: 'released', partition: 2 },
    );
    expect([lag(gone, '0'), lag(gone, '2')]).toEqual([null, null]);
  });

  it('shows the age of the oldest unanswered message: 0 where there is none, nothing where nobody knows', async () => {
    const { seen, sources } = setUp();
    const age = (metrics: Exposition) =>
      metrics.value('visionscale_oldest_unanswered_seconds', { partition: '0' });
    // Nobody owns it; 9 wait and none was read yet.
    expect(age(await seen())).toBeNull();
    expect(age(await seen({ kind: 'owning', partition: 0, epoch: 1, from: 0, lag: 9 }))).toBeNull();
    const sent = Date.now() - 70_000;
    const waiting = age(await seen({ kind: 'lag', partition: 0, lag: 9, oldest: sent }))!;
    expect(waiting).toBeGreaterThanOrEqual(70);
    expect(waiting).toBeLessThan(75);
    // What it holds stays known while the topic is away; that there is no more does not.
    sources.lagKnown = false;
    expect(age(await seen())).toBeGreaterThanOrEqual(70);
    expect(age(await seen(recorded({ partition: 0, predicted: 9 })))).toBeNull();
    sources.lagKnown = true;
    expect(age(await seen())).toBe(0);
    // Another host's clock may be ahead.
    expect(age(await seen({ kind: 'lag', partition: 0, lag: 1, oldest: Date.now() + 60_000 }))).toBe(0);
    expect(age(await seen({ kind: 'released', partition: 0 }))).toBeNull();
  });

  it('shows in which state each partition is, and that of an idle one while a server is away', async () => {
    const { seen, sources } = setUp();
    const state = (metrics: Exposition) =>
      ['consuming', 'waiting', 'stalled'].filter(
        (one) => metrics.value('visionscale_partition_state', { partition: '0', state: one }) === 1,
      );
    expect(state(await seen())).toEqual([]);
    const owning: ConsumeEvent = { kind: 'owning', partition: 0, epoch: 1, from: 0, lag: 0 };
    expect(state(await seen(owning))).toEqual(['consuming']);
    expect(state(await seen({ kind: 'waiting', partition: 0, reason: 'denied' }))).toEqual(['waiting']);
    expect(state(await seen({ kind: 'going on', partition: 0 }))).toEqual(['consuming']);
    expect(state(await seen({ kind: 'stalled', partition: 0, reason: 'nobody knows' }))).toEqual(['stalled']);
    expect(state(await seen({ kind: 'stalled', partition: 0, reason: null }))).toEqual(['consuming']);
    sources.servers.away = [{ server: 'store', reason: 'refused', since: new Date() }];
    expect(state(await seen())).toEqual(['waiting']);
    expect(state(await seen({ kind: 'lost', partition: 0, epoch: 1 }))).toEqual([]);
  });

  it('knows neither bins nor partitions before it has seen them', async () => {
    const { seen, sources } = setUp();
    const [bins, partitions] = ['visionscale_bins_version', 'visionscale_partitions'];
    const first = await seen();
    expect([first.value(bins), first.value(partitions)]).toEqual([null, null]);
    const later = await seen(
      { kind: 'partitions', partition: null, partitions: 3 },
      recorded({ predicted: 1, predictions: [row()] }),
    );
    expect([later.value(bins), later.value(partitions)]).toEqual([0, 3]);
    expect((await seen({ kind: 'bins', partition: null, version: 7 })).value(bins)).toBe(7);
    expect((await seen({ kind: 'bins', partition: null, version: null })).value(bins)).toBe(0);
    expect((await seen()).value('visionscale_model_refused')).toBe(0);
    sources.modelProblem = 'it does not open';
    expect((await seen()).value('visionscale_model_refused')).toBe(1);
  });

  it('counts consumers that did not release what they owned, and shows what a standby does not own', async () => {
    const { seen } = setUp();
    const crashes = (metrics: Exposition) =>
      ['consumer', 'worker'].map((what) => metrics.value('visionscale_crashes_total', { what }));
    expect(crashes(await seen())).toEqual([0, 0]);
    const metrics = await seen(
      { kind: 'careful', partition: 1, messages: 4 },
      { kind: 'standing by', partition: 2, holder: 'a:1' },
    );
    expect(crashes(metrics)).toEqual([1, 0]);
    expect(metrics.value('visionscale_lease', { partition: '2' })).toBe(0);
  });

  it('counts retries and dead letters by cause', async () => {
    const { seen } = setUp();
    const retrying: ConsumeEvent = { kind: 'retrying', partition: 0, stage: 'fetch', code: 'unavailable' };
    const metrics = await seen(retrying, retrying, {
      kind: 'dead letter',
      partition: 0,
      offset: 1,
      imageKey: 'k',
      code: 'not_found',
      message: 'gone',
    });
    expect(metrics.value('visionscale_retries_total', { stage: 'fetch', cause: 'unavailable' })).toBe(2);
    expect(metrics.value('visionscale_dead_letters_total', { code: 'not_found' })).toBe(1);
  });

  it('shows what is not published, and never waits for the database to say how old it is', async () => {
    const { seen, sources } = setUp();
    let answer: (seconds: number) => void = () => undefined;
    sources.oldest = () => new Promise((resolve) => (answer = resolve));
    const asked = await seen(
      { kind: 'published', partition: 0, what: 'result', messages: 5 },
      { kind: 'not published', partition: 0, what: 'dead', reason: 'away' },
    );
    expect(asked.value('visionscale_published_total', { what: 'result' })).toBe(5);
    expect(asked.value('visionscale_unpublished', { partition: '0', what: 'dead' })).toBe(1);
    expect(asked.value('visionscale_outbox_oldest_seconds')).toBeNull();
    answer(42);
    await new Promise(setImmediate);
    expect((await seen()).value('visionscale_outbox_oldest_seconds')).toBe(42);
    const again = await seen({ kind: 'publishing again', partition: 0, what: 'dead' });
    expect(again.value('visionscale_unpublished', { partition: '0', what: 'dead' })).toBe(0);
    expect((await seen({ kind: 'released', partition: 0 })).value('visionscale_unpublished')).toBeNull();
  });

  it('shows what is in work, and the one model in use, as they are when asked', async () => {
    const { seen, sources, load } = setUp();
    expect((await seen()).value('visionscale_model_info')).toBeNull();
    Object.assign(load, { requests: 3, bytes: 4096 });
    sources.inUse = { model, engine: 'onnx' };
    const one = await seen();
    expect(one.value('visionscale_in_flight_requests')).toBe(3);
    expect(one.value('visionscale_in_flight_bytes')).toBe(4096);
    expect(one.value('visionscale_model_info', { name: 'parts', version: '2', engine: 'onnx' })).toBe(1);
    sources.inUse = { model: { ...model, version: '3' }, engine: 'onnx' };
    // `value` throws where there are two.
    expect((await seen()).value('visionscale_model_info')).toBe(1);
  });
});
