/** How late the event loop is: what a scrape sees is since the scrape before. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Gauge, type Registry } from 'prom-client';

/** Milliseconds between its ticks, which Node counts as delay too. */
const resolution = 10;

const quantiles = [0.5, 0.99, 1];

/** Measures until it is disposed of. */
export function eventLoopDelay(registry: Registry): Disposable {
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
