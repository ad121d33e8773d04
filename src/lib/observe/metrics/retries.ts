/** Retries by cause: the same metric in every role. */
import { Counter, type Registry } from 'prom-client';

export function retriesCounter(registry: Registry): Counter<'stage' | 'cause'> {
  return new Counter({
    name: 'visionscale_retries_total',
    help: 'Attempts that failed for a reason that may pass, by stage and cause.',
    labelNames: ['stage', 'cause'],
    registers: [registry],
  });
}
