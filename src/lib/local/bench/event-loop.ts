/** How late the main thread's timers come while something runs. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface EventLoopDelay {
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** Milliseconds between its ticks, which Node counts as delay too. */
const resolution = 1;

export async function withEventLoopDelay<T>(
  run: () => Promise<T>,
): Promise<{ result: T; delay: EventLoopDelay }> {
  const histogram = monitorEventLoopDelay({ resolution });
  histogram.enable();
  try {
    const result = await run();
    const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - resolution);
    const delay = {
      p50Ms: late(histogram.percentile(50)),
      p99Ms: late(histogram.percentile(99)),
      maxMs: late(histogram.max),
    };
    return { result, delay };
  } finally {
    histogram.disable();
  }
}
