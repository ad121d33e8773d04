/** What a consumer is at the moment when its metrics are read: its load, its model, and how old its outbox is. */
import { Gauge, type Registry } from 'prom-client';
import type { Load } from '../../base/flow/load.ts';
import type { Classifier } from '../../models/classifier/classifier.ts';
import { inFlightGauges } from './in-flight.ts';
import { sampled } from './sampled.ts';

export interface ConsumerSources {
  load: Readonly<Load>;
  /** Null before it is open. */
  classifier: () => Pick<Classifier, 'model' | 'engine'> | null;
  /** Age of the oldest message that no results topic has, in seconds; null: there is none, or nobody knows. */
  oldestUnpublished: () => Promise<number | null>;
}

/** How often the database is asked for the age of its outbox, at most, in milliseconds. */
const outboxEveryMs = 5000;

export function consumerState(registry: Registry, sources: ConsumerSources): void {
  const { load, classifier } = sources;
  const age = sampled(sources.oldestUnpublished, outboxEveryMs);
  inFlightGauges(registry, load);
  new Gauge({
    name: 'visionscale_outbox_oldest_seconds',
    help: 'Age of the oldest message of the pipeline that no results topic has, as last asked; 0: there is none.',
    registers: [registry],
    collect() {
      this.set(age.latest() ?? 0);
    },
  });
  new Gauge({
    name: 'visionscale_model_info',
    help: 'The model in use: always 1.',
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
