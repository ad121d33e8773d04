/** What a process has in work when its metrics are read: the same metrics in every role that takes images. */
import { Gauge, type Registry } from 'prom-client';
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
