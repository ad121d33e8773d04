/** Whether a process waits for something that is away. */
import { Gauge, type Registry } from 'prom-client';

export function waitingGauge(registry: Registry): Gauge {
  return new Gauge({
    name: 'visionscale_waiting',
    help: '1 while something that is away is waited for.',
    registers: [registry],
  });
}
