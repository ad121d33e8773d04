/** The metrics of a producer, fed by what it reports. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { ProduceEvent } from '../../pipeline/produce.ts';
import { retriesCounter, waitingGauge } from './common-meters.ts';

export function producerMetrics(registry: Registry): (event: ProduceEvent) => void {
  const registers = [registry];
  const produced = new Counter({
    name: 'visionscale_produced_total',
    help: 'Keys that the topic has acknowledged and the database has marked.',
    registers,
  });
  const pending = new Gauge({
    name: 'visionscale_pending_images',
    help: 'Images whose keys are still to be sent, as last counted.',
    registers,
  });
  const waiting = waitingGauge(registry);
  const retries = retriesCounter(registry);
  let left = 0;
  return (event) => {
    switch (event.kind) {
      case 'pending':
        pending.set((left = event.images));
        break;
      case 'produced':
        produced.inc(event.images);
        pending.set((left = Math.max(0, left - event.images)));
        waiting.set(0);
        break;
      case 'waiting':
        waiting.set(1);
        retries.inc({ stage: 'produce', cause: event.code });
        break;
      case 'following':
        waiting.set(0);
        break;
      case 'topic':
      case 'round':
        break;
    }
  };
}
