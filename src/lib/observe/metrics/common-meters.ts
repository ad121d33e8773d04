/** Metrics that several roles have: what is in work, retries by cause, waiting for what is away; and the buckets of histograms. */
import { Gauge, type Registry, Counter } from 'prom-client';
import type { Load } from '../../base/flow/load.ts';

export function inFlightGauges(registry: Registry, load: Readonly<Load>): void {
  const registers = [registry];
  new Gauge({
    name: 'visionscale_in_flight_requests',
    help: 'Images in work: taken, and not recorded or acknowledged yet.',
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
export const stageBuckets = [
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
    help: 'Attempts that failed for a reason that may pass, by stage and cause.',
    labelNames: ['stage', 'cause'],
    registers: [registry],
  });
}

/** Whether a process waits for something that is away. */
export function waitingGauge(registry: Registry): Gauge {
  return new Gauge({
    name: 'visionscale_waiting',
    help: '1 while something that is away is waited for.',
    registers: [registry],
  });
}
