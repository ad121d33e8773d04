/**
 * One child process of a sandbox: does a task at a time, and is killed when that takes more work than it may. The next task may
 * be sent before: it begins when the one before it has been answered, and only then can it be to blame for anything.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { compiledFile } from '../package.ts';
import { childEnvironment } from './native-environment.ts';
import { type Answer, fromPlainError, onFrame, type Opening, type Order, sendFrame } from './protocol.ts';
import { cpuTimeMsNow, memoryBytesNow, WorkClock } from './work-clock.ts';

/** The process ended while it opened, or did a task. */
export class ProcessDied extends Error {}

/** There was no process to be had: the system's doing, not that of what it was to do. */
export class NotStarted extends Error {}

/** It was ended because its task took more work than it may. */
export class Overrun extends Error {}

/** The process ended before it came to this task, or it was withdrawn. */
export class NotBegun extends Error {}

const living = new Set<SandboxProcess>();
let spentByEndedMs = 0;

/** Processor time of all child processes of all sandboxes so far, in milliseconds; 0 where it cannot be told at once. */
export function sandboxCpuMs(): number {
  return [...living].reduce((sum, one) => sum + one.cpuMs(), spentByEndedMs);
}

/** Resident memory of these that live, in bytes; 0 where it cannot be told. */
export function sandboxMemoryBytes(): number {
  return [...living].reduce((sum, one) => sum + one.memoryBytes(), 0);
}

interface Pending {
  resolve: (reply: unknown) => void;
  reject: (error: Error) => void;
  limitMs: number;
  /** Undefined until it has begun. */
  clock?: WorkClock;
}

export class SandboxProcess {
  /** Rejects with what opening failed with: a VisionscaleError, NotStarted, ProcessDied or Overrun. */
  readonly opened: Promise<unknown>;
  /** Resolves, however it ends, to how. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  /** Undefined where the process could not be started. */
  readonly #socket: Socket | undefined;
  readonly #mostMemoryBytes: number;
  /** When it was last read. */
  #cpuMs = 0;
  /** The first one is being done. */
  readonly #pending: Pending[] = [];
  #sent = 0;
  /** Why it is being ended, and what was being done then. */
  #why: Error | undefined;
  #blamed: Pending | undefined;
  #killed = false;

  constructor(opening: Opening, openLimitMs: number, memoryBytes = Infinity) {
    this.#mostMemoryBytes = memoryBytes;
    // Out of the terminal's process group: Ctrl-C is for the parent, which may want to finish what is in work.
    this.#child = spawn(process.execPath, [compiledFile('lib/base/sandbox/child'), `${process.pid}`], {
      env: childEnvironment(),
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
      detached: true,
    });
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        const how = `could not be started: ${error.message}`;
        this.#why ??= new NotStarted(how, { cause: error });
        resolve(how);
      });
      // Not at `exit`: what it answered before is still to be read.
      this.#child.once('close', (code, signal) =>
        resolve(this.#why?.message ?? `ended with ${signal ?? `exit code ${code}`}`),
      );
    });
    // Where there is no file descriptor left, `stdio` is undefined.
    this.#socket = (this.#child.stdio as ChildProcess['stdio'] | undefined)?.[3] as Socket | undefined;
    if (this.#socket !== undefined) {
      this.#socket.on('error', () => undefined); // it has ended, which is heard above
      onFrame(this.#socket, (message) => this.#hear(message as Answer));
    }
    living.add(this);
    void this.ended.then((how) => {
      this.#retire();
      this.#abandon(this.#why ?? new ProcessDied(how));
    });
    this.opened = this.#answer({ kind: 'open', ...opening }, undefined, openLimitMs);
    this.opened.catch(() => undefined);
  }

  /** Once it has ended: until it was last asked. */
  cpuMs(): number {
    const { pid } = this.#child;
    if (pid !== undefined) this.#cpuMs = cpuTimeMsNow(pid) ?? this.#cpuMs;
    return this.#cpuMs;
  }

  memoryBytes(): number {
    const { pid } = this.#child;
    return pid === undefined ? 0 : memoryBytesNow(pid);
  }

  /** One at a time, in this order. Rejects with the VisionscaleError that the work threw, ProcessDied, Overrun or NotBegun. */
  run(task: unknown, bytes: Uint8Array | undefined, limitMs: number): Promise<unknown> {
    return this.#answer({ kind: 'task', task }, bytes, limitMs);
  }

  /** The last task need not be done if it has not begun: then it ends as NotBegun. */
  withdraw(): void {
    if (this.#pending.length > 1) this.#send({ kind: 'withdraw', number: this.#sent });
  }

  kill(why?: Error): void {
    if (this.#why === undefined && why !== undefined) [this.#why, this.#blamed] = [why, this.#pending[0]];
    this.#retire();
    this.#killed = true;
    // Whoever waits for its end is not to end before.
    this.#child.ref();
    this.#socket?.ref();
    this.#child.kill('SIGKILL');
  }

  /** What it has cost stays counted. */
  #retire(): void {
    if (living.delete(this)) spentByEndedMs += this.cpuMs();
  }

  #answer(order: Order, bytes: Uint8Array | undefined, limitMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ resolve, reject, limitMs });
      if (this.#pending.length === 1) this.#begin();
      // Only work keeps the parent from ending.
      this.#child.ref();
      this.#socket?.ref();
      this.#sent++;
      this.#send(order, bytes);
    });
  }

  #send(order: Order, bytes?: Uint8Array): void {
    if (this.#socket?.writable) sendFrame(this.#socket, order, bytes);
  }

  /** The work of the first task counts from now on. */
  #begin(): void {
    const [first] = this.#pending;
    if (first === undefined) return;
    const { pid } = this.#child;
    const { limitMs } = first;
    const memoryBytes = this.#mostMemoryBytes;
    first.clock = new WorkClock(
      pid,
      { ms: limitMs, memoryBytes },
      {
        onOverrun: () => this.kill(new Overrun(`was ended after ${limitMs / 1000} s of work`)),
        onMemory: () =>
          this.kill(new ProcessDied(`took more than ${(memoryBytes / 2 ** 30).toFixed(1)} GiB of memory`)),
        onStandstill: (ms) => this.kill(new ProcessDied(`did nothing for ${ms / 1000} s`)),
      },
    );
  }

  #hear(answer: Answer): void {
    if (this.#killed) return; // too late: somebody is to blame already
    switch (answer.kind) {
      case 'ready':
        this.#settle((first) => first.resolve(undefined));
        break;
      case 'done':
        this.#settle((first) => first.resolve(answer.reply));
        break;
      case 'withdrawn':
        this.#settle((first) => first.reject(new NotBegun('was withdrawn')));
        break;
      case 'failed':
        this.#settle((first) => first.reject(fromPlainError(answer.error)));
        break;
      case 'broken':
        this.kill(new ProcessDied(`ended: ${answer.reason}`));
        break;
    }
  }

  #settle(settle: (first: Pending) => void): void {
    const first = this.#pending.shift();
    first?.clock?.stop();
    if (this.#pending.length > 0) {
      this.#begin();
    } else if (!this.#killed) {
      this.#socket?.unref();
      this.#child.unref();
    }
    if (first !== undefined) settle(first);
  }

  /** It has ended: the fault of what it was doing, or was killed for; no fault of the rest. */
  #abandon(why: Error): void {
    const blamed = this.#blamed ?? this.#pending[0];
    for (const one of this.#pending.splice(0)) {
      one.clock?.stop();
      one.reject(one === blamed ? why : new NotBegun(why.message));
    }
    this.#socket?.unref();
  }
}
