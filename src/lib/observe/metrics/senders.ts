/** The metrics of `produce` and of `watch`, fed by what they report. */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { ProduceEvent } from '../../pipeline/produce.ts';
import type { Servers } from '../../pipeline/server-watch.ts';
import type { WatchEvent } from '../../pipeline/watch/visit.ts';
import { crashesCounter, knownGauge, retriesCounter, waitBuckets, waitingGauge } from './meters.ts';

export function producerMetrics(registry: Registry, servers: Servers): (event: ProduceEvent) => void {
  const registers = [registry];
  const produced = new Counter({
    name: 'visionscale_produced_total',
    help: 'Keys that the topic has acknowledged and the database has marked.',
    registers,
  });
  waitingGauge(registry, servers);
  const retries = retriesCounter(registry);
  let left: number | null = null;
  knownGauge(
    registry,
    {
      name: 'visionscale_pending_images',
      help: 'Images whose keys are still to be sent, at the last count; absent before the first.',
    },
    () => left,
  );
  return (event) => {
    switch (event.kind) {
      case 'pending':
        left = event.images;
        break;
      case 'produced':
        produced.inc(event.images);
        left = Math.max(0, (left ?? 0) - event.images);
        break;
      case 'waiting':
        retries.inc({ stage: 'produce', cause: event.code });
        break;
      case 'following':
      case 'posted':
      case 'topic':
      case 'round':
        break;
    }
  };
}

export function watchMetrics(registry: Registry, servers: Servers): (event: WatchEvent) => void {
  const registers = [registry];
  const files = new Counter({
    name: 'visionscale_files_total',
    help: 'Files by outcome: sent, skipped (already known) or rejected.',
    labelNames: ['outcome'],
    registers,
  });
  for (const outcome of ['sent', 'skipped', 'rejected']) files.inc({ outcome }, 0);
  const bytes = new Counter({
    name: 'visionscale_sent_bytes_total',
    help: 'Bytes of the images that were sent.',
    registers,
  });
  const delay = new Histogram({
    name: 'visionscale_send_delay_seconds',
    help: 'From the capture of an image to its key in the topic.',
    buckets: waitBuckets,
    registers,
  });
  waitingGauge(registry, servers);
  crashesCounter(registry);
  const retries = retriesCounter(registry);
  return (event) => {
    switch (event.kind) {
      case 'sent':
        files.inc({ outcome: 'sent' });
        bytes.inc(event.bytes);
        delay.observe(Math.max(0, Date.now() - event.capturedAt.getTime()) / 1000);
        break;
      case 'skipped':
      case 'rejected':
        files.inc({ outcome: event.kind });
        break;
      case 'waiting':
        retries.inc({ stage: 'watch', cause: event.code });
        break;
      case 'watching':
      case 'passed over':
      case 'deleted':
      case 'problem':
        break;
    }
  };
}
