/** Watches a process at one task from outside: how much it has computed since, whether it computes at all, its memory. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';

interface WorkLimits {
  /** Of a processor's time, in milliseconds. */
  ms: number;
  memoryBytes: number;
}

interface WorkClockEvents {
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
    else if (this.#limits.memoryBytes < Infinity && memoryBytesNow(this.#pid) > this.#limits.memoryBytes)
      this.#events.onMemory();
    else if (this.#still * this.#everyMs >= standstillMs) this.#events.onStandstill(standstillMs);
  }
}

// What a process has used: time computed, all its threads together, however long it waited for a core; memory.

/** The unit of /proc/<pid>/stat on every Linux there is, in milliseconds. */
const clockTickMs = 10;

/** In milliseconds; undefined where it cannot be told (no such process any more). */
async function cpuTimeMs(pid: number): Promise<number | undefined> {
  return process.platform === 'linux' ? cpuTimeMsNow(pid) : fromPs(pid);
}

/** The same at once; undefined on other systems than Linux, too. */
export function cpuTimeMsNow(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field, the name, may hold anything, spaces and brackets too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * clockTickMs;
  } catch {
    return undefined;
  }
}

/** Resident, in bytes; 0 where it cannot be told. */
export function memoryBytesNow(pid: number): number {
  try {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return Number(kibibytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** POSIX: `[[dd-]hh:]mm:ss`, with hundredths on macOS. */
async function fromPs(pid: number): Promise<number | undefined> {
  const text = await new Promise<string>((resolve) => {
    execFile('ps', ['-o', 'time=', '-p', `${pid}`], { timeout: 2000 }, (error, stdout) =>
      resolve(error ? '' : stdout.trim()),
    );
  });
  return parsePsTime(text);
}

function parsePsTime(text: string): number | undefined {
  const found = /^(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:\.\d+)?)$/.exec(text);
  if (found === null) return undefined;
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = found.slice(1).map((part) => Number(part ?? 0));
  return Math.round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000);
}
