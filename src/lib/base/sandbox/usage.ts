/**
 * What this process costs, together with the child processes of its sandboxes. These can be asked on Linux alone; elsewhere it is
 * this process without them.
 */
import { sandboxCpuMs, sandboxMemoryBytes } from './process.ts';

export interface Usage {
  /** When it was read, in milliseconds of a clock that never goes back. */
  at: number;
  /** Processor time so far, of all threads, in milliseconds. */
  cpuMs: number;
  /** Resident. What processes share, such as code, counts in each. */
  memoryBytes: number;
}

export function readUsage(): Usage {
  const { user, system } = process.cpuUsage();
  return {
    at: performance.now(),
    cpuMs: (user + system) / 1000 + sandboxCpuMs(),
    memoryBytes: process.memoryUsage.rss() + sandboxMemoryBytes(),
  };
}

/** Linux counts in hundredths of a second: over a shorter time a single one would look like much. */
const leastMs = 500;

/** Cores that were busy on average between two readings, to the thousandth; null where too little time has passed to tell. */
export function busyCores(from: Usage, to: Usage): number | null {
  const ms = to.at - from.at;
  if (ms < leastMs) return null;
  // A child that ended by itself takes along what it did after it was last read.
  return Math.max(0, Math.round(((to.cpuMs - from.cpuMs) / ms) * 1000) / 1000);
}

/** What it cost in the last seconds, read whenever it is asked. */
export class RecentUsage {
  readonly #spanMs: number;
  readonly #read: () => Usage;
  /** The first one is as old as the span, or all there is. */
  readonly #readings: Usage[];

  constructor(spanMs = 10_000, read = readUsage) {
    this.#spanMs = spanMs;
    this.#read = read;
    this.#readings = [read()];
  }

  now(): { cpuCores: number | null; memoryBytes: number } {
    const last = this.#read();
    this.#readings.push(last);
    while (this.#readings.length > 2 && last.at - this.#readings[1]!.at >= this.#spanMs)
      this.#readings.shift();
    return { cpuCores: busyCores(this.#readings[0]!, last), memoryBytes: last.memoryBytes };
  }
}
