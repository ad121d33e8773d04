/** The metrics of a consumer, fed by what it reports. */
import { type Registry, Gauge } from 'prom-client';
import type { Load } from '../../base/flow/load.ts';
import type { Classifier } from '../../models/classifier/classifier.ts';
import type { ConsumeEvent, RecordedEvent } from '../../pipeline/consume/options.ts';
import type { BeltState } from '../../pipeline/drift/drift.ts';
import type { Servers } from '../../pipeline/server-watch.ts';
import type { NewPrediction, Prediction } from '../../systems/database/record/outcome.ts';
import { driftKinds } from '../../systems/database/tables/consumers.ts';
import { outboxKinds } from '../../systems/database/tables/outbox.ts';
import { consumerMeters, type ConsumerMeters, inFlightGauges, knownGauge, waitingGauge } from './meters.ts';

/** Most belts and bins that are told apart. */
const mostBelts = 50;
const mostBins = 200;

/** Returns what is told of every event. */
export function consumerMetrics(registry: Registry, sources: ConsumerSources): (event: ConsumeEvent) => void {
  const meters = consumerMeters(registry);
  consumerState(registry, sources);
  beltGauges(registry, sources);
  const { requests, lease, unpublished, crashes } = meters;
  const owned = new Map<number, Owned>();
  partitionGauges(registry, owned, sources);
  let lastPrediction: number | null = null;
  let partitions: number | null = null;
  let binsVersion: number | null = null;
  knownGauges(registry, {
    lastPrediction: () => lastPrediction,
    partitions: () => partitions,
    binsVersion: () => binsVersion,
  });
  for (const outcome of ['predicted', 'dead_lettered', 'ignored']) requests.inc({ outcome }, 0);
  crashes.inc({ what: 'consumer' }, 0);
  const seeRow = rowCounter(meters);

  const recorded = (event: RecordedEvent) => {
    requests.inc({ outcome: 'predicted' }, event.predicted);
    requests.inc({ outcome: 'dead_lettered' }, event.deadLettered);
    requests.inc({ outcome: 'ignored' }, event.ignored);
    meters.stages.observe({ stage: 'record' }, seconds(event.ended - event.began));
    for (const outcome of event.outcomes) if (outcome.kind === 'prediction') seeWork(meters, outcome);
    event.predictions.forEach(seeRow);
  };

  return (event) => {
    switch (event.kind) {
      case 'recorded':
        recorded(event);
        if (event.predicted > 0) lastPrediction = performance.now();
        // Rules in force would have been told with the first row.
        if (event.predictions.length > 0) binsVersion ??= 0;
        stand(event.partition, event);
        break;
      case 'owning':
        lease.set({ partition: event.partition }, 1);
        owned.set(event.partition, { lag: event.lag, oldest: null, state: 'consuming' });
        break;
      case 'lag':
        stand(event.partition, event);
        break;
      case 'waiting':
      case 'going on':
        if (event.partition !== null)
          stand(event.partition, { state: event.kind === 'waiting' ? 'waiting' : 'consuming' });
        break;
      case 'stalled':
        stand(event.partition, { state: event.reason === null ? 'consuming' : 'stalled' });
        break;
      case 'careful':
        crashes.inc({ what: 'consumer' });
        break;
      case 'partitions':
        partitions = event.partitions;
        break;
      case 'standing by':
        if (event.partition !== null) lease.set({ partition: event.partition }, 0);
        break;
      case 'lost':
      case 'released':
        owned.delete(event.partition);
        lease.set({ partition: event.partition }, 0);
        for (const what of outboxKinds) unpublished.remove({ partition: event.partition, what });
        break;
      case 'dead letter':
        meters.deadLetters.inc({ code: event.code });
        break;
      case 'retrying':
        meters.retries.inc({ stage: event.stage, cause: event.code });
        break;
      case 'bins':
        binsVersion = event.version ?? 0;
        break;
      case 'published':
        meters.published.inc({ what: event.what }, event.messages);
        break;
      case 'not published':
        if (event.refused === undefined) unpublished.set({ partition: event.partition, what: event.what }, 1);
        else meters.refused.inc({ what: event.what }, event.refused);
        break;
      case 'publishing again':
        unpublished.set({ partition: event.partition, what: event.what }, 0);
        break;
      case 'commit failed':
      case 'another topic':
      case 'replaying':
      case 'skipped expired':
      case 'passed over':
      case 'giving up':
      case 'drift':
        break;
    }
  };

  function stand(partition: number, { lag, oldest, state }: Partial<Owned>): void {
    const known = owned.get(partition);
    if (known === undefined) return;
    known.lag = lag ?? known.lag;
    if (oldest !== undefined) known.oldest = oldest;
    known.state = state ?? known.state;
  }
}

/** How a partition that this process owns stands. */
interface Owned {
  lag: number;
  /** Timestamp of the oldest message in hand; null: there is none, or it has none. */
  oldest: number | null;
  state: (typeof partitionStates)[number];
}

const partitionStates = ['consuming', 'waiting', 'stalled'] as const;

/** What cannot be known now is not shown, rather than shown as it was. */
function partitionGauges(
  registry: Registry,
  owned: ReadonlyMap<number, Owned>,
  { lagKnown, servers }: ConsumerSources,
): void {
  const registers = [registry];
  new Gauge({
    name: 'visionscale_lag_messages',
    help: 'Unrecorded messages in the partitions owned here; absent while the topic cannot be read.',
    labelNames: ['partition'],
    registers,
    collect() {
      this.reset();
      if (!lagKnown()) return;
      for (const [partition, { lag }] of owned) this.set({ partition }, Math.max(0, lag));
    },
  });
  new Gauge({
    name: 'visionscale_oldest_unanswered_seconds',
    help: 'Age (by its timestamp) of the oldest unrecorded message in the partitions owned here; 0: none; absent while unknown.',
    labelNames: ['partition'],
    registers,
    collect() {
      this.reset();
      for (const [partition, { lag, oldest }] of owned) {
        if (oldest !== null) this.set({ partition }, seconds(Date.now() - oldest));
        else if (lagKnown() && lag <= 0) this.set({ partition }, 0);
      }
    },
  });
  new Gauge({
    name: 'visionscale_partition_state',
    help: '1 for the state of a partition owned here (consuming, waiting, stalled), 0 for the others.',
    labelNames: ['partition', 'state'],
    registers,
    collect() {
      this.reset();
      for (const [partition, { state }] of owned) {
        // An idle one waits for nothing of its own, but its process may wait for a server.
        const now = state === 'consuming' && servers.away.length > 0 ? 'waiting' : state;
        for (const one of partitionStates) this.set({ partition, state: one }, one === now ? 1 : 0);
      }
    },
  });
}

/** Of belts that the consumer has seen in the last hour. */
function beltGauges(registry: Registry, { belts }: ConsumerSources): void {
  const registers = [registry];
  new Gauge({
    name: 'visionscale_belt_drift',
    help: '1 while a belt is not as it was, or not as in training: unknown, confidence or classes; else 0.',
    labelNames: ['belt', 'kind'],
    registers,
    collect() {
      this.reset();
      for (const { belt, drifts } of belts()) {
        for (const kind of driftKinds) {
          this.set({ belt: belt ?? '', kind }, drifts.some((drift) => drift.kind === kind) ? 1 : 0);
        }
      }
    },
  });
  new Gauge({
    name: 'visionscale_belt_unknown_ratio',
    help: 'Share of unknown images among the last 500 of a belt; absent where the model does not tell.',
    labelNames: ['belt'],
    registers,
    collect() {
      this.reset();
      for (const { belt, unknown } of belts()) if (unknown !== null) this.set({ belt: belt ?? '' }, unknown);
    },
  });
  new Gauge({
    name: 'visionscale_belt_confidence_ratio',
    help: 'Mean confidence of the last 500 images of a belt, from 0 to 1.',
    labelNames: ['belt'],
    registers,
    collect() {
      this.reset();
      for (const { belt, confidence } of belts()) this.set({ belt: belt ?? '' }, confidence);
    },
  });
}

function knownGauges(
  registry: Registry,
  read: Record<'lastPrediction' | 'partitions' | 'binsVersion', () => number | null>,
): void {
  knownGauge(
    registry,
    {
      name: 'visionscale_last_prediction_age_seconds',
      help: 'Time since this process wrote its last new row; absent before the first.',
    },
    () => {
      const last = read.lastPrediction();
      return last === null ? null : (performance.now() - last) / 1000;
    },
  );
  knownGauge(
    registry,
    { name: 'visionscale_partitions', help: 'Partitions of the topic; absent until it was first read.' },
    read.partitions,
  );
  knownGauge(
    registry,
    {
      name: 'visionscale_bins_version',
      help: 'Version of the bin rules in force; 0: none; absent before the first message.',
    },
    read.binsVersion,
  );
}

/** What the work on one image took, whether or not its row was there already. */
function seeWork(
  { stages, queue, compute }: ConsumerMeters,
  { record, times, classification }: Prediction,
): void {
  const { decode, preprocess, infer } = classification.stages;
  const computed = decode + preprocess + infer;
  stages.observe({ stage: 'fetch' }, seconds(times.fetched - times.fetching));
  stages.observe({ stage: 'wait' }, seconds(times.classified - times.fetched - computed));
  stages.observe({ stage: 'decode' }, seconds(decode));
  stages.observe({ stage: 'preprocess' }, seconds(preprocess));
  stages.observe({ stage: 'infer' }, seconds(infer));
  queue.observe(seconds(times.received - record.timestamp));
  compute.observe(seconds(computed));
}

function rowCounter({ belts, bins, latency, deadlineMisses }: ConsumerMeters): (row: NewPrediction) => void {
  const knownBelt = fewValues(mostBelts);
  const knownBin = fewValues(mostBins);
  return ({ belt, bin, binReason, latencyMs }) => {
    belts.inc({ belt: knownBelt(belt) });
    if (latencyMs !== null) latency.observe(seconds(latencyMs));
    if (binReason === null) return;
    bins.inc({ bin: knownBin(bin), reason: binReason });
    if (binReason === 'missed_deadline') deadlineMisses.inc();
  };
}

/** Of milliseconds; the clocks of two hosts may make a time negative that took none. */
function seconds(ms: number): number {
  return Math.max(0, ms) / 1000;
}

const otherValue = 'other';

/**
 * Keeps a label that comes from outside from becoming a series for every message: the first `most` values as they are, every
 * later one as `other`; none as the empty text.
 */
function fewValues(most: number): (value: string | null) => string {
  const known = new Set<string>();
  return (value) => {
    if (value === null) return '';
    if (known.has(value)) return value;
    if (known.size >= most) return otherValue;
    known.add(value);
    return value;
  };
}

/** What a consumer is at the moment when its metrics are read: its load, its model, and how old its outbox is. */
export interface ConsumerSources {
  load: Readonly<Load>;
  /** Null before it is open. */
  classifier: () => Pick<Classifier, 'model' | 'engine'> | null;
  /** Age of the oldest message that no results topic has, in seconds, 0 where there is none; null: nobody knows. */
  oldestUnpublished: () => Promise<number | null>;
  servers: Servers;
  /** Why the active model is not the one in use; null: it is, or the settings name another. */
  modelProblem: () => string | null;
  /** Few belts: as many as are watched. */
  belts: () => readonly BeltState[];
  /** False while the topic is away. */
  lagKnown: () => boolean;
}

/** How often the database is asked for the age of its outbox, at most, in milliseconds. */
const outboxEveryMs = 5000;

function consumerState(registry: Registry, sources: ConsumerSources): void {
  const { load, classifier } = sources;
  const age = sampled(sources.oldestUnpublished, outboxEveryMs);
  inFlightGauges(registry, load);
  waitingGauge(registry, sources.servers);
  knownGauge(
    registry,
    {
      name: 'visionscale_outbox_oldest_seconds',
      help: 'Age of the oldest unpublished message of the pipeline at the last check; 0: none; absent while the database is away.',
    },
    () => age.latest(),
  );
  new Gauge({
    name: 'visionscale_model_refused',
    help: '1 while the active model, or the model of a belt, cannot be used here, else 0.',
    registers: [registry],
    collect() {
      this.set(sources.modelProblem() === null ? 0 : 1);
    },
  });
  new Gauge({
    name: 'visionscale_model_info',
    help: "The pipeline's model in use: always 1.",
    labelNames: ['name', 'version', 'digest', 'engine'],
    registers: [registry],
    collect() {
      this.reset();
      const inUse = classifier();
      if (inUse === null) return;
      const { name, version, digest } = inUse.model;
      this.set({ name, version, digest, engine: inUse.engine }, 1);
    },
  });
}

// A value that takes a question to another server: a scrape never waits for it, and sees the last answer.

interface Sampled {
  /** Null before the first answer. Asks anew where that is older than `everyMs`. */
  latest(): number | null;
}

function sampled(read: () => Promise<number | null>, everyMs: number): Sampled {
  let value: number | null = null;
  let askedAt = -Infinity;
  let asking = false;
  const ask = async () => {
    asking = true;
    askedAt = performance.now();
    // What cannot be asked is not known; a fault of that server shows elsewhere.
    value = await read().catch(() => null);
    asking = false;
  };
  return {
    latest() {
      if (!asking && performance.now() - askedAt >= everyMs) void ask();
      return value;
    },
  };
}
