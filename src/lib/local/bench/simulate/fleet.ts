/** Consumers in processes of their own, and what they tell of themselves. */
import { VisionscaleError } from '../../../base/errors.ts';
import { pause } from '../../../base/flow/waiting.ts';
import { sum } from '../../../base/statistics.ts';

/** What a consumer tells of itself; all counts from its start on. */
export interface ConsumerSample {
  /** Milliseconds since the epoch. */
  at: number;
  /** Owned now. */
  partitions: number;
  /** Messages that came from the topic, and how often and how long they were waited for, all partitions together. */
  taken: number;
  waits: number;
  waitMs: number;
  rows: number;
  transactions: number;
  /** From the begin of each transaction to its commit. */
  recordMs: number;
  /** Messages that were taken and not yet recorded: sampled while there were any. */
  inFlightSum: number;
  inFlightSamples: number;
  inFlightMost: number;
  /** Processor time of all threads, and of the JavaScript thread alone. */
  cpuMs: number;
  loopMs: number;
  memoryBytes: number;
  /** Null where the system does not tell. */
  threads: number | null;
  sockets: number | null;
}

/** A consumer in a process of its own. Disposing ends it. */
export interface SimulatedConsumer extends AsyncDisposable {
  /** Throws where it has failed. */
  sample(): Promise<ConsumerSample>;
}

const lookMs = 100;
/** Longest time for the consumers to share the partitions out, in milliseconds. */
const balanceMs = 300_000;

/** All consumers together. */
export class Fleet implements AsyncDisposable {
  readonly #consumers: SimulatedConsumer[];
  readonly #began = performance.now();
  readonly #signal: AbortSignal;

  constructor(start: () => SimulatedConsumer, count: number, signal: AbortSignal) {
    this.#signal = signal;
    this.#consumers = Array.from({ length: count }, start);
  }

  samples(): Promise<ConsumerSample[]> {
    this.#signal.throwIfAborted();
    return Promise.all(this.#consumers.map((consumer) => consumer.sample()));
  }

  /** Seconds since the start. */
  async balanced(partitions: number): Promise<number> {
    for (;;) {
      const shares = (await this.samples()).map((sample) => sample.partitions);
      const seconds = (performance.now() - this.#began) / 1000;
      const even = Math.max(...shares) - Math.min(...shares) <= 1;
      if (even && sum(shares) === partitions) return seconds;
      if (seconds * 1000 > balanceMs)
        throw new VisionscaleError(
          `after ${Math.round(seconds)} s the partitions are shared as ${shares.join(', ')} of ${partitions}`,
          {
            code: 'bench_failed',
          },
        );
      await pause(lookMs, this.#signal);
    }
  }

  async until(rows: number): Promise<ConsumerSample[]> {
    for (;;) {
      const samples = await this.samples();
      if (sum(samples.map((sample) => sample.rows)) >= rows) return samples;
      await pause(lookMs, this.#signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#consumers.map((consumer) => consumer[Symbol.asyncDispose]()));
  }
}

/** What has come between two samples, of all consumers together. */
export function difference(
  first: ConsumerSample[],
  last: ConsumerSample[],
  what: keyof ConsumerSample,
): number {
  return sum(last.map((sample, nth) => (sample[what] ?? 0) - (first[nth]![what] ?? 0)));
}

/** Mean, in milliseconds. */
export function elapsed(first: ConsumerSample[], last: ConsumerSample[]): number {
  return difference(first, last, 'at') / last.length;
}
