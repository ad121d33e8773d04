/** What one process shows to Prometheus: a registry of its own, with the process's figures in it. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { packageVersion } from '../../base/package.ts';

export type Role = 'produce' | 'consume' | 'serve' | 'watch';

/** All metrics in the text format. */
export interface Exposition {
  contentType: string;
  body: string;
}

/** Names are `visionscale_*` in base units (seconds, bytes), beside prom-client's `process_*` and `nodejs_*`. */
export class ProcessMetrics implements Disposable {
  readonly registry = new Registry();
  readonly #eventLoop: Disposable;

  constructor(role: Role) {
    const { registry } = this;
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 1000 });
    // Node counts the time between its own ticks as delay; ours does not.
    for (const { name } of registry.getMetricsAsArray()) {
      if (name.startsWith('nodejs_eventloop_lag')) registry.removeSingleMetric(name);
    }
    this.#eventLoop = eventLoopDelay(registry);
    new Gauge({
      name: 'visionscale_info',
      help: 'Role and version of this process: always 1.',
      labelNames: ['role', 'version'],
      registers: [registry],
    }).set({ role, version: packageVersion() }, 1);
  }

  async render(): Promise<Exposition> {
    return { contentType: this.registry.contentType, body: await this.registry.metrics() };
  }

  [Symbol.dispose](): void {
    this.#eventLoop[Symbol.dispose]();
  }
}

/** Milliseconds between its ticks, which Node counts as delay too. */
const resolution = 10;

const quantiles = [0.5, 0.99, 1];

/** How late the event loop is: what a scrape sees is since the scrape before. Measures until it is disposed of. */
function eventLoopDelay(registry: Registry): Disposable {
  const histogram = monitorEventLoopDelay({ resolution });
  histogram.enable();
  new Gauge({
    name: 'visionscale_event_loop_delay_seconds',
    help: 'Delay of the event loop since the last scrape, by quantile (1: the longest).',
    labelNames: ['quantile'],
    registers: [registry],
    collect() {
      for (const quantile of quantiles) {
        const late = histogram.count === 0 ? 0 : histogram.percentile(quantile * 100) / 1e6 - resolution;
        this.set({ quantile: `${quantile}` }, Math.max(0, late) / 1000);
      }
      histogram.reset();
    },
  });
  return { [Symbol.dispose]: () => void histogram.disable() };
}
