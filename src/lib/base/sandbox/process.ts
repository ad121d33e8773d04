/** One child process of a sandbox: does a task at a time, and is killed when that takes more work than it may. */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { compiledFile } from '../package.ts';
import { cpuTimeMsNow } from './cpu-time.ts';
import { onFrame, sendFrame } from './frames.ts';
import { childEnvironment } from './native-environment.ts';
import { fromPlainError } from './plain-error.ts';
import type { Answer, Opening } from './protocol.ts';
import { WorkClock } from './work-clock.ts';

/** The process ended while it opened, or did a task. */
export class ProcessDied extends Error {}

/** There was no process to be had: the system's doing, not that of what it was to do. */
export class NotStarted extends Error {}

/** It was ended because its task took more work than it may. */
export class Overrun extends Error {}

const living = new Set<SandboxProcess>();
let spentByEndedMs = 0;

/** Processor time of all child processes of all sandboxes so far, in milliseconds; 0 where it cannot be told at once. */
export function sandboxCpuMs(): number {
  return [...living].reduce((sum, one) => sum + one.cpuMs(), spentByEndedMs);
}

interface Pending {
  resolve: (reply: unknown) => void;
  reject: (error: Error) => void;
  clock: WorkClock;
}

export class SandboxProcess {
  /** Rejects with what opening failed with: a VisionscaleError, NotStarted, ProcessDied or Overrun. */
  readonly opened: Promise<unknown>;
  /** Resolves, however it ends, to how. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  /** Undefined where the process could not be started. */
  readonly #socket: Socket | undefined;
  readonly #memoryBytes: number;
  #pending: Pending | undefined;
  /** Why it is being ended. */
  #why: Error | undefined;
  #killed = false;

  constructor(opening: Opening, openLimitMs: number, memoryBytes = Infinity) {
    this.#memoryBytes = memoryBytes;
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
      this.#child.once('exit', (code, signal) =>
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
      living.delete(this);
      this.#settle(this.#why ?? new ProcessDied(how));
    });
    this.opened = this.#answer(opening, undefined, openLimitMs);
    this.opened.catch(() => undefined);
  }

  cpuMs(): number {
    return (this.#child.pid !== undefined && cpuTimeMsNow(this.#child.pid)) || 0;
  }

  /** Only one at a time. Rejects with the VisionscaleError that the work threw, ProcessDied or Overrun. */
  run(task: unknown, bytes: Uint8Array | undefined, limitMs: number): Promise<unknown> {
    return this.#answer(task, bytes, limitMs);
  }

  kill(why?: Error): void {
    this.#why ??= why;
    if (!this.#killed) spentByEndedMs += this.cpuMs();
    living.delete(this);
    this.#killed = true;
    this.#child.ref(); // whoever waits for its end is not to end before
    this.#child.kill('SIGKILL');
  }

  #answer(message: unknown, bytes: Uint8Array | undefined, limitMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { pid } = this.#child;
      const memoryBytes = this.#memoryBytes;
      const clock = new WorkClock(
        pid,
        { ms: limitMs, memoryBytes },
        {
          onOverrun: () => this.kill(new Overrun(`was ended after ${limitMs / 1000} s of work`)),
          onMemory: () =>
            this.kill(new ProcessDied(`took more than ${(memoryBytes / 2 ** 30).toFixed(1)} GiB of memory`)),
          onStandstill: (ms) => this.kill(new ProcessDied(`did nothing for ${ms / 1000} s`)),
        },
      );
      this.#pending = { resolve, reject, clock };
      // Only work keeps the parent from ending.
      this.#child.ref();
      this.#socket?.ref();
      if (this.#socket !== undefined) sendFrame(this.#socket, message, bytes);
    });
  }

  #hear(answer: Answer): void {
    switch (answer.kind) {
      case 'ready':
        this.#settle(undefined);
        break;
      case 'done':
        this.#settle(undefined, answer.reply);
        break;
      case 'failed':
        this.#settle(fromPlainError(answer.error));
        break;
      case 'broken':
        this.kill(new ProcessDied(`ended: ${answer.reason}`));
        break;
    }
  }

  #settle(error: Error | undefined, reply?: unknown): void {
    const pending = this.#pending;
    this.#pending = undefined;
    this.#socket?.unref();
    if (!this.#killed) this.#child.unref();
    pending?.clock.stop();
    if (error === undefined) pending?.resolve(reply);
    else pending?.reject(error);
  }
}
