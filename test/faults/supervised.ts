/** A process of the built binary under a supervisor that starts it again with backoff, as systemd would. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Launch {
  command: string;
  args: string[];
  cwd: string;
  env: Record<string, string>;
}

export interface Exit {
  at: number;
  start: number;
  code: number | null;
  signal: NodeJS.Signals | null;
  /** We sent the signal, or it was to end. */
  meant: boolean;
}

export interface SupervisedOptions {
  name: string;
  logFile: string;
  /** The command line of its `n`-th start, counted from 1. */
  launch: (n: number) => Launch;
  /** Whether an end with this code is the end; else it is started again. */
  isDone?: (code: number | null) => boolean;
}

const firstDelayMs = 300;
const longestDelayMs = 3000;
/** After a life of so long the next delay is the first again, ms. */
const longLifeMs = 10_000;
/** How long a process may take to drain before it is killed, and that is a fault of the product; ms. */
const patienceMs = 30_000;

export class Supervised {
  readonly name: string;
  readonly logFile: string;
  readonly exits: Exit[] = [];
  starts = 0;
  /** Not started again by itself while true. */
  held = false;
  #options: SupervisedOptions;
  #child: ChildProcess | undefined;
  #meant = false;
  #over = false;
  #loop: Promise<void> | undefined;
  #wake = new AbortController();

  constructor(options: SupervisedOptions) {
    this.#options = options;
    this.name = options.name;
    this.logFile = options.logFile;
  }

  /** `undefined` between two lives. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Settles when the last life has ended: after `stop`, or where `isDone` said so. */
  get ended(): Promise<void> {
    return this.#loop ?? Promise.resolve();
  }

  /** False where nothing was running. */
  signal(signal: NodeJS.Signals): boolean {
    const child = this.#child;
    if (!child) return false;
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') this.#meant = true;
    return child.kill(signal);
  }

  /** Resolves when the life that is running now has ended. */
  async died(): Promise<void> {
    const child = this.#child;
    if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  /** Asks it to drain and starts it no more. False where it had to be killed. */
  async stop(): Promise<boolean> {
    this.#over = true;
    this.#wake.abort();
    const child = this.#child;
    if (!child) {
      await this.#loop;
      return true;
    }
    this.#meant = true;
    child.kill('SIGTERM');
    const inTime = await Promise.race([this.ended.then(() => true), sleep(patienceMs, false)]);
    if (!inTime) child.kill('SIGKILL');
    await this.#loop;
    return inTime;
  }

  /** How long the log is: what is said from now on begins here. */
  logSize(): number {
    return statSync(this.logFile, { throwIfNoEntry: false })?.size ?? 0;
  }

  said(from = 0): string {
    return readFileSync(this.logFile).subarray(from).toString();
  }

  async #run(): Promise<void> {
    let delay = firstDelayMs;
    while (!this.#over) {
      const began = performance.now();
      const { code, signal } = await this.#live();
      this.exits.push({ at: Date.now(), start: this.starts, code, signal, meant: this.#meant || this.#over });
      this.#meant = false;
      if (this.#options.isDone?.(code)) return;
      if (performance.now() - began > longLifeMs) delay = firstDelayMs;
      await sleep(delay, undefined, { signal: this.#wake.signal }).catch(() => undefined);
      delay = Math.min(delay * 2, longestDelayMs);
      while (this.held && !this.#over) await sleep(50);
    }
  }

  async #live(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    const { command, args, cwd, env } = this.#options.launch(++this.starts);
    const log = openSync(this.logFile, 'a');
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', log, log] });
    closeSync(log);
    this.#child = child;
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    this.#child = undefined;
    return { code, signal };
  }
}
