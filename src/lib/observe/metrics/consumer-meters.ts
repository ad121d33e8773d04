/** The counters, gauges and histograms of a consumer: names, units and meanings. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { stageBuckets, waitBuckets, retriesCounter } from './common-meters.ts';

export type ConsumerMeters = ReturnType<typeof consumerMeters>;

export function consumerMeters(registry: Registry) {
  const registers = [registry];
  return {
    requests: new Counter({
      name: 'visionscale_requests_total',
      help: 'Requests with a new outcome: predicted and dead_lettered are rows of the database, ignored ones asked for nothing.',
      labelNames: ['outcome'],
      registers,
    }),
    deadLetters: new Counter({
      name: 'visionscale_dead_letters_total',
      help: 'Failures that no retry can mend, by code; a retried dead letter that fails again counts again.',
      labelNames: ['code'],
      registers,
    }),
    retries: retriesCounter(registry),
    bins: new Counter({
      name: 'visionscale_bins_total',
      help: 'New predictions by bin, and why it was that one.',
      labelNames: ['bin', 'reason'],
      registers,
    }),
    belts: new Counter({
      name: 'visionscale_belts_total',
      help: 'New predictions by belt.',
      labelNames: ['belt'],
      registers,
    }),
    deadlineMisses: new Counter({
      name: 'visionscale_deadline_misses_total',
      help: 'New predictions that came too late for their bin.',
      registers,
    }),
    published: new Counter({
      name: 'visionscale_published_total',
      help: 'Messages that a results topic has acknowledged, by what they tell of: result or dead.',
      labelNames: ['what'],
      registers,
    }),
    refused: new Counter({
      name: 'visionscale_publish_refused_total',
      help: 'Messages that a results topic refused, too large for it say, by what they tell of; they are kept.',
      labelNames: ['what'],
      registers,
    }),
    stages: new Histogram({
      name: 'visionscale_stage_seconds',
      help: 'Time of one image in each stage (wait: for a free thread); of record: of one transaction, which holds several.',
      labelNames: ['stage'],
      buckets: stageBuckets,
      registers,
    }),
    queue: new Histogram({
      name: 'visionscale_queue_seconds',
      help: "From the message's timestamp to the start of the work on it.",
      buckets: waitBuckets,
      registers,
    }),
    compute: new Histogram({
      name: 'visionscale_compute_seconds',
      help: 'Decode, preprocess and infer of one image together.',
      buckets: stageBuckets,
      registers,
    }),
    latency: new Histogram({
      name: 'visionscale_latency_seconds',
      help: "From capture (else from the message's timestamp) to the row, by the database's clock.",
      buckets: waitBuckets,
      registers,
    }),
    lag: new Gauge({
      name: 'visionscale_lag_messages',
      help: 'Messages not yet recorded, of the partitions owned here.',
      labelNames: ['partition'],
      registers,
    }),
    unpublished: new Gauge({
      name: 'visionscale_unpublished',
      help: '1 while what a partition has recorded cannot be published.',
      labelNames: ['partition', 'what'],
      registers,
    }),
    binsVersion: new Gauge({
      name: 'visionscale_bins_version',
      help: 'Version of the bins that sort; 0: none.',
      registers,
    }),
  };
}
