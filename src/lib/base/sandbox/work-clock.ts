/** Watches a process at one task from outside: how much it has computed since, whether it computes at all, its memory. */
import { cpuTimeMs, memoryOf } from './cpu-time.ts';

export interface WorkLimits {
  /** Of a processor's time, in milliseconds. */
  ms: number;
  memoryBytes: number;
}

export interface WorkClockEvents {
  /** It has computed for longer than the limit. */
  onOverrun: () => void;
  /** It holds more memory than it may. */
  onMemory: () => void;
  /** It has not computed for so long, in milliseconds. */
  onStandstill: (ms: number) => void;
}

/** Of a task that neither ends nor computes; counted in looks that really took place, so a machine may sleep meanwhile. */
const standstillMs = 30_000;

export class WorkClock {
  readonly #pid: number | undefined;
  readonly #limits: WorkLimits;
  readonly #events: WorkClockEvents;
  readonly #everyMs: number;
  readonly #timer: NodeJS.Timeout;
  /** The process's time at the first look, and at the last at which it had grown. */
  #first: number | undefined;
  #last = 0;
  #still = 0;
  #looking = false;

  constructor(pid: number | undefined, limits: WorkLimits, events: WorkClockEvents) {
    this.#pid = pid;
    this.#limits = limits;
    this.#events = events;
    this.#everyMs = Math.min(250, Math.max(10, limits.ms / 10));
    // Most tasks are done before the first look, so that it costs them a timer.
    this.#timer = setInterval(() => void this.#look(), this.#everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#pid === undefined || this.#looking) return;
    this.#looking = true;
    const spent = await cpuTimeMs(this.#pid);
    this.#looking = false;
    if (spent === undefined) return;
    if (this.#first === undefined || spent > this.#last) this.#still = 0;
    else this.#still++;
    this.#first ??= spent;
    this.#last = spent;
    if (spent - this.#first > this.#limits.ms) this.#events.onOverrun();
    else if (this.#limits.memoryBytes < Infinity && memoryOf(this.#pid) > this.#limits.memoryBytes)
      this.#events.onMemory();
    else if (this.#still * this.#everyMs >= standstillMs) this.#events.onStandstill(standstillMs);
  }
}
