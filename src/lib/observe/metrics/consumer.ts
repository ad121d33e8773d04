/** The metrics of a consumer, fed by what it reports. */
import type { Registry } from 'prom-client';
import type { ConsumeEvent, Recording } from '../../pipeline/consume/deps.ts';
import type { NewPrediction, Prediction } from '../../systems/database/record/record.ts';
import { outboxKinds } from '../../systems/database/tables/outbox.ts';
import { type ConsumerMeters, consumerMeters } from './consumer-meters.ts';
import { type ConsumerSources, consumerState } from './consumer-state.ts';
import { fewValues } from './few-values.ts';

export type { ConsumerSources } from './consumer-state.ts';

/** Most belts and bins that are told apart. */
const mostBelts = 50;
const mostBins = 200;

/** Returns what is told of every event. */
export function consumerMetrics(registry: Registry, sources: ConsumerSources): (event: ConsumeEvent) => void {
  const meters = consumerMeters(registry);
  consumerState(registry, sources);
  const { requests, lag, unpublished } = meters;
  for (const outcome of ['predicted', 'dead_lettered', 'ignored']) requests.inc({ outcome }, 0);
  const seeRow = rowCounter(meters);

  const recorded = (event: Recording) => {
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
        lag.set({ partition: event.partition }, Math.max(0, event.lag));
        break;
      case 'owning':
      case 'lag':
        lag.set({ partition: event.partition }, Math.max(0, event.lag));
        break;
      case 'lost':
      case 'released':
        lag.remove({ partition: event.partition });
        for (const what of outboxKinds) unpublished.remove({ partition: event.partition, what });
        break;
      case 'dead letter':
        meters.deadLetters.inc({ code: event.code });
        break;
      case 'retrying':
        meters.retries.inc({ stage: event.stage, cause: event.code });
        break;
      case 'bins':
        meters.binsVersion.set(event.version ?? 0);
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
      case 'standing by':
      case 'waiting':
      case 'going on':
      case 'commit failed':
      case 'another topic':
      case 'skipped expired':
      case 'passed over':
      case 'careful':
      case 'stalled':
      case 'giving up':
        break;
    }
  };
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
