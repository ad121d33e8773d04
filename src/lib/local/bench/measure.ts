/** The harness: runs something for a while after a warm-up and says how often, how long each took and what CPU it used. */
import { readUsage } from '../../base/sandbox/usage.ts';
import { percentile } from '../../base/statistics.ts';

export interface MeasureOptions {
  seconds: number;
  signal: AbortSignal;
  /** Calls at once; default 1. */
  concurrency?: number;
  /** Calls before the clock starts; default 3. */
  warmUp?: number;
}

export interface Measured {
  count: number;
  seconds: number;
  /** Calls a second. */
  rate: number;
  /** Calls a second of CPU time of this process and its sandboxes, all their threads; what servers use is not in it. */
  ratePerCore: number;
  /** Cores that these kept busy. */
  cores: number;
  /** Of one call. */
  medianMs: number;
  p99Ms: number;
}

/** `turn` counts up from 0. At least one call is measured, however short the time. Throws when aborted. */
export async function measure(work: (turn: number) => unknown, options: MeasureOptions): Promise<Measured> {
  const { seconds, signal, concurrency = 1, warmUp = 3 } = options;
  let turn = 0;
  while (turn < warmUp) await work(turn++);
  const samples: number[] = [];
  const clock = startClock();
  const until = performance.now() + seconds * 1000;
  const loop = async () => {
    do {
      signal.throwIfAborted();
      const began = performance.now();
      await work(turn++);
      samples.push(performance.now() - began);
    } while (performance.now() < until);
  };
  await Promise.all(Array.from({ length: concurrency }, loop));
  return {
    ...clock(samples.length),
    medianMs: percentile(samples, 50),
    p99Ms: percentile(samples, 99),
  };
}

/** Starts wall clock and CPU clock; the function returned stops them and relates them to a count. */
export function startClock(): (count: number) => Omit<Measured, 'medianMs' | 'p99Ms'> {
  const began = readUsage();
  return (count) => {
    const ended = readUsage();
    const seconds = (ended.at - began.at) / 1000;
    const cpuSeconds = (ended.cpuMs - began.cpuMs) / 1000;
    return {
      count,
      seconds,
      rate: count / seconds,
      ratePerCore: count / cpuSeconds,
      cores: cpuSeconds / seconds,
    };
  };
}
