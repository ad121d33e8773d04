/**
 * Child processes for work on bytes from outside: native code that hangs is killed with its process, one that crashes takes
 * its process along, and either is the fault of the one task that was being done.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, VisionscaleError } from '../errors.ts';
import { NotBegun, NotStarted, Overrun, SandboxProcess } from './process.ts';

export interface SandboxOptions {
  /** Path of a compiled module whose default export is an `OpenWork`. */
  module: string;
  /** What that is opened with; anything that can be cloned. */
  setup: unknown;
  /** Most processes. */
  processes: number;
  /** How many of them are open before the first task; the others start as tasks come. */
  eager: number;
  /** Asked before each process beyond those: without leave, those that are there do the work. Default: always. */
  mayGrow?: (() => boolean) | undefined;
  /** Most work that one task may cost, in milliseconds of a processor's time. */
  limitMs: number;
  /** Likewise for opening; default: enough for a large model on a slow machine. */
  openLimitMs?: number;
  /** Most memory of a process; told on Linux alone. Default: any. */
  memoryBytes?: number;
  /** What one is called in messages, such as `a classifier process`. */
  called: string;
  /** What to do when one has died at work. */
  hint?: string;
  /** What a task is rejected with that took more. */
  overrun: (limitMs: number) => VisionscaleError;
  /** What opening is rejected with where the process died of it, or did not come to an end. */
  cannotOpen: (how: string) => VisionscaleError;
  onNotice: (text: string) => void;
}

export interface Sandbox<Task, Reply> extends AsyncDisposable {
  /**
   * Rejects with the VisionscaleError that the work threw, what `overrun` makes, `worker_crashed` (retryable) where the process
   * died, `worker_unavailable` (retryable) where none could be started or the sandbox was closed before, or the signal's
   * reason: then nobody waits for the task any more. `bytes` must stay as they are.
   */
  run(task: Task, bytes?: Uint8Array, signal?: AbortSignal): Promise<Reply>;
}

let crashes = 0;

/** Tasks of all sandboxes so far whose process died of them, or for no known reason, in this process; what was ended for taking too long is no crash. */
export function sandboxCrashes(): number {
  return crashes;
}

interface Job {
  task: unknown;
  bytes: Uint8Array | undefined;
  resolve: (reply: unknown) => void;
  reject: (error: unknown) => void;
  settled: boolean;
}

/** An open process with what it has to do: the task it is at, and the next one, sent ahead. */
interface Hand {
  one: SandboxProcess;
  jobs: Job[];
}

const defaultOpenLimitMs = 120_000;
const manyHint = 'Does this user have too many processes or open files? See: ulimit -u; ulimit -n';
/** A task that was sent ahead waits so long behind the one before it; then any process may have it. */
const aheadMs = 500;
/** After a process could not be opened again: from, to. */
const [firstDelayMs, longestDelayMs] = [250, 30_000];

/** Resolves when `eager` processes are open; rejects, with none left, when one of them cannot be: as `run` does. */
export async function openSandbox<Task, Reply>(options: SandboxOptions): Promise<Sandbox<Task, Reply>> {
  const pool = new Pool(options);
  await pool.openFirst();
  return {
    run: (task, bytes, signal) => pool.run(task, bytes, signal) as Promise<Reply>,
    [Symbol.asyncDispose]: () => pool.close(),
  };
}

class Pool {
  readonly #options: SandboxOptions;
  readonly #all = new Set<SandboxProcess>();
  #hands: Hand[] = [];
  readonly #queue: Job[] = [];
  readonly #closing = new AbortController();
  /** Processes that are there, or about to be. */
  #count = 0;
  #everOpen = false;

  constructor(options: SandboxOptions) {
    this.#options = options;
  }

  async openFirst(): Promise<void> {
    this.#count = this.#options.eager;
    const opened = await Promise.allSettled(Array.from({ length: this.#count }, () => this.#open()));
    const failed = opened.find((one) => one.status === 'rejected');
    if (failed === undefined) return;
    await this.close();
    throw failed.reason;
  }

  run(task: unknown, bytes: Uint8Array | undefined, signal: AbortSignal | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) throw signal.reason;
      if (this.#closing.signal.aborted) throw this.#unavailable('was closed');
      const leave = () => job.reject(signal?.reason);
      const settled =
        <T>(settle: (value: T) => void) =>
        (value: T) => {
          job.settled = true;
          this.#unqueue(job);
          this.#withdraw(job);
          signal?.removeEventListener('abort', leave);
          settle(value);
        };
      const job: Job = { task, bytes, resolve: settled(resolve), reject: settled(reject), settled: false };
      signal?.addEventListener('abort', leave, { once: true });
      this.#queue.push(job);
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const job of this.#queue.splice(0)) job.reject(this.#died(new Error('was closed')));
    for (const one of this.#all) one.kill();
    await Promise.all([...this.#all].map((one) => one.ended));
  }

  #next(): void {
    for (const hand of this.#hands) if (hand.jobs.length === 0) this.#give(hand);
    if (this.#queue.length === 0) return;
    const { processes, mayGrow } = this.#options;
    if (this.#count < processes && (this.#count === 0 || mayGrow === undefined || mayGrow())) {
      this.#count++;
      void this.#keepOpening();
    } else if (this.#hands.length === this.#count) {
      // All are at work. What is next is sent ahead, so that none stands still until it has come.
      for (const hand of this.#hands) if (hand.jobs.length === 1) this.#give(hand);
    }
  }

  #give(hand: Hand): void {
    const job = this.#queue.shift();
    if (job === undefined) return;
    this.#withdraw(job); // it may have been sent ahead to another
    hand.jobs.push(job);
    void this.#do(hand, job);
  }

  /** Any process may do it, and the first answer counts. */
  #offer(job: Job): void {
    if (job.settled || this.#queue.includes(job)) return;
    this.#queue.unshift(job);
    this.#next();
  }

  /** Where it was sent ahead it need not be done: it was answered elsewhere, or nobody waits for it. */
  #withdraw(job: Job): void {
    for (const { one, jobs } of this.#hands) if (jobs[1] === job) one.withdraw();
  }

  #unqueue(job: Job): void {
    const at = this.#queue.indexOf(job);
    if (at >= 0) this.#queue.splice(at, 1);
  }

  async #do(hand: Hand, job: Job): Promise<void> {
    // One that has begun meanwhile is done here alone, however long it takes.
    const offer = () => void (hand.jobs[0] !== job && this.#offer(job));
    const timer = hand.jobs.length > 1 ? setTimeout(offer, aheadMs) : undefined;
    try {
      const reply = await hand.one.run(job.task, job.bytes, this.#options.limitMs);
      this.#done(hand, job);
      job.resolve(reply);
    } catch (error) {
      this.#done(hand, job);
      if (error instanceof NotBegun && !this.#closing.signal.aborted) {
        if (!this.#hands.some(({ jobs }) => jobs.includes(job))) this.#offer(job);
      } else if (error instanceof VisionscaleError) job.reject(error);
      else if (error instanceof Overrun) job.reject(this.#options.overrun(this.#options.limitMs));
      else {
        if (!this.#closing.signal.aborted) crashes++;
        job.reject(this.#died(error));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #done(hand: Hand, job: Job): void {
    hand.jobs.splice(hand.jobs.indexOf(job), 1);
    const [begun] = hand.jobs;
    if (begun !== undefined) this.#unqueue(begun);
    this.#next();
  }

  async #open(): Promise<void> {
    const { module, setup, cannotOpen, openLimitMs = defaultOpenLimitMs, memoryBytes } = this.#options;
    const one = new SandboxProcess({ module, setup }, openLimitMs, memoryBytes);
    this.#all.add(one);
    let open = false;
    void one.ended.then((how) => {
      this.#all.delete(one);
      this.#hands = this.#hands.filter((hand) => hand.one !== one);
      if (open) this.#replace(how);
    });
    try {
      await one.opened;
    } catch (error) {
      one.kill();
      if (error instanceof VisionscaleError) throw error;
      throw error instanceof NotStarted
        ? this.#unavailable(error.message, manyHint)
        : cannotOpen(errorMessage(error));
    }
    open = true;
    this.#everOpen = true;
    if (this.#all.has(one)) this.#hands.push({ one, jobs: [] });
    this.#next();
  }

  #replace(how: string): void {
    if (this.#closing.signal.aborted) return;
    this.#options.onNotice(`${this.#options.called} ${how} and is replaced`);
    void this.#keepOpening();
  }

  /** What could be opened once is tried until it can be again; tasks wait meanwhile. */
  async #keepOpening(): Promise<void> {
    const { signal } = this.#closing;
    for (let delayMs = firstDelayMs; !signal.aborted; delayMs = Math.min(longestDelayMs, 2 * delayMs)) {
      try {
        await this.#open();
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!this.#everOpen) {
          // Others that are about to open do the tasks, or fail in their turn.
          if (--this.#count > 0) return;
          for (const job of this.#queue.splice(0)) job.reject(error);
          return;
        }
        this.#options.onNotice(`${this.#options.called} cannot be started: ${errorMessage(error)}`);
        await sleep(delayMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Nobody's fault who asks: not the model's, nor the image's. */
  #unavailable(how: string, hint?: string): VisionscaleError {
    return new VisionscaleError(`${this.#options.called} ${how}`, {
      code: 'worker_unavailable',
      retryable: true,
      ...(hint !== undefined && { hint }),
    });
  }

  #died(how: unknown): VisionscaleError {
    const { called, hint } = this.#options;
    return new VisionscaleError(`${called} ${errorMessage(how)}`, {
      code: 'worker_crashed',
      retryable: true,
      ...(hint !== undefined && { hint }),
      cause: how,
    });
  }
}
