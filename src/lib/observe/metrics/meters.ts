/** Counters, gauges and histograms with their names, units and meanings: those that several roles have, and those of a consumer. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Load } from '../../base/flow/load.ts';
import { sandboxCrashes } from '../../base/sandbox/sandbox.ts';
import { serverNames, type Servers } from '../../pipeline/server-watch.ts';

export function inFlightGauges(registry: Registry, load: Readonly<Load>): void {
  const registers = [registry];
  new Gauge({
    name: 'visionscale_in_flight_requests',
    help: 'Images in flight: accepted, but not yet recorded or acknowledged.',
    registers,
    collect() {
      this.set(load.requests);
    },
  });
  new Gauge({
    name: 'visionscale_in_flight_bytes',
    help: 'Encoded images in memory.',
    registers,
    collect() {
      this.set(load.bytes);
    },
  });
}

// The upper bounds of the histograms' buckets, in seconds.

/** One step of the work on one image: from a cached read to a slow store. */
const stageBuckets = [
  0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];

/** From capture to row, and the time in the queue: fine around half a second, which a robot waits at most. */
export const waitBuckets = [
  0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.5, 2.5, 5, 10, 30, 60,
  300,
];

/** A request to `serve`, which may wait for its result. */
export const httpBuckets = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2.5, 5, 10, 30,
];

/** Retries by cause: the same metric in every role. */
export function retriesCounter(registry: Registry): Counter<'stage' | 'cause'> {
  return new Counter({
    name: 'visionscale_retries_total',
    help: 'Attempts with a temporary failure, by stage and cause.',
    labelNames: ['stage', 'cause'],
    registers: [registry],
  });
}

/** Processes that died at work: the same metric in every role that looks at images. */
export function crashesCounter(registry: Registry): Counter<'what'> {
  let counted = sandboxCrashes();
  return new Counter({
    name: 'visionscale_crashes_total',
    help: 'Crashes. worker: a process died while it decoded or classified an image; consumer: a partition was taken over from one that did not release it while messages waited.',
    labelNames: ['what'],
    registers: [registry],
    collect() {
      const now = sandboxCrashes();
      this.inc({ what: 'worker' }, now - counted);
      counted = now;
    },
  });
}

/** A gauge without labels that is absent while its value is not known: prom-client would show 0 from the start. */
export function knownGauge(
  registry: Registry,
  { name, help }: { name: string; help: string },
  value: () => number | null,
): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      const known = value();
      if (known === null) this.remove();
      else this.set(known);
    },
  });
}

/** Which servers a process waits for: the same metric in every role. */
export function waitingGauge(registry: Registry, servers: Servers): void {
  new Gauge({
    name: 'visionscale_waiting',
    help: '1 while this process waits for a server that is away, else 0; a topic in the database counts as the database.',
    labelNames: ['for'],
    registers: [registry],
    collect() {
      for (const name of serverNames) {
        this.set({ for: name }, servers.away.some(({ server }) => server === name) ? 1 : 0);
      }
    },
  });
}

export type ConsumerMeters = ReturnType<typeof consumerMeters>;

export function consumerMeters(registry: Registry) {
  const registers = [registry];
  return {
    requests: new Counter({
      name: 'visionscale_requests_total',
      help: 'Requests with a new outcome: predicted and dead_lettered are database rows, ignored ones asked for nothing.',
      labelNames: ['outcome'],
      registers,
    }),
    deadLetters: new Counter({
      name: 'visionscale_dead_letters_total',
      help: 'Permanent failures, by code; a retried dead letter that fails again counts again.',
      labelNames: ['code'],
      registers,
    }),
    retries: retriesCounter(registry),
    bins: new Counter({
      name: 'visionscale_bins_total',
      help: 'New predictions by bin and reason.',
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
      help: 'New predictions that missed the deadline.',
      registers,
    }),
    published: new Counter({
      name: 'visionscale_published_total',
      help: 'Messages that a results topic has acknowledged: result or dead.',
      labelNames: ['what'],
      registers,
    }),
    refused: new Counter({
      name: 'visionscale_publish_refused_total',
      help: 'Messages that a results topic refused (too large, for example): result or dead; they are kept.',
      labelNames: ['what'],
      registers,
    }),
    stages: new Histogram({
      name: 'visionscale_stage_seconds',
      help: 'Time of one image in each stage (wait: for a free worker); for record, time of one transaction of several images.',
      labelNames: ['stage'],
      buckets: stageBuckets,
      registers,
    }),
    queue: new Histogram({
      name: 'visionscale_queue_seconds',
      help: "From the message's timestamp to the start of its processing.",
      buckets: waitBuckets,
      registers,
    }),
    compute: new Histogram({
      name: 'visionscale_compute_seconds',
      help: 'Decoding, preprocessing and inference of one image together.',
      buckets: stageBuckets,
      registers,
    }),
    latency: new Histogram({
      name: 'visionscale_latency_seconds',
      help: "From capture (else from the message's timestamp) to the row, by the database's clock.",
      buckets: waitBuckets,
      registers,
    }),
    lease: new Gauge({
      name: 'visionscale_lease',
      help: '1 while this process owns the partition, 0 after it has lost it or given it back.',
      labelNames: ['partition'],
      registers,
    }),
    unpublished: new Gauge({
      name: 'visionscale_unpublished',
      help: '1 while recorded results of a partition cannot be published.',
      labelNames: ['partition', 'what'],
      registers,
    }),
    crashes: crashesCounter(registry),
  };
}
