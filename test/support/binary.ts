/** Drives the built binary as a user does, in a directory and with settings of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from './build.ts';

export const binary = fileURLToPath(new URL('../../bin/visionscale.js', import.meta.url));

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  process: ChildProcess;
  ended: Promise<Ended>;
  /** Resolves when stderr has matched. */
  said(pattern: RegExp): Promise<void>;
  /** Resolves when stdout has so many lines. */
  printed(lines: number): Promise<void>;
}

/** A directory with nothing in it, and the binary run there; disposing kills what is left and removes the directory. */
export class Rig implements AsyncDisposable {
  readonly dir: string;
  readonly env: Record<string, string>;
  readonly #running = new Set<Running>();

  private constructor(dir: string, env: Record<string, string>) {
    this.dir = dir;
    // Nothing of the developer's own settings reaches the binary.
    const own = Object.entries(process.env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && /^(PATH|HOME|LANG|TMPDIR|AWS_.*|VISIONSCALE_CI_RUN)$/.test(entry[0]),
    );
    this.env = {
      ...Object.fromEntries(own),
      VISIONSCALE_DATA_DIR: join(dir, 'data'),
      VISIONSCALE_MODELS: join(dir, 'models'),
      // A worker is a process that loads sharp and the engine: half a second of the processor each.
      VISIONSCALE_WORKERS: '1',
      ...env,
    };
  }

  static async open(env: Record<string, string> = {}, name = 'visionscale rig '): Promise<Rig> {
    await ensureBuilt();
    return new Rig(mkdtempSync(join(tmpdir(), name)), env);
  }

  start(args: string[], env: Record<string, string> = {}): Running {
    const child = spawn(process.execPath, [binary, ...args], {
      cwd: this.dir,
      env: { ...this.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    const ended = once(child, 'close').then((values) => {
      const [code, signal] = values as [number | null, NodeJS.Signals | null];
      this.#running.delete(running);
      return { code, signal, stdout, stderr };
    });
    const until = (stream: Readable, holds: () => boolean, what: string) =>
      new Promise<void>((resolve, reject) => {
        const look = () => {
          if (!holds()) return;
          stream.off('data', look);
          resolve();
        };
        stream.on('data', look);
        void ended.then(() => reject(new Error(`ended without ${what}:\n${stderr}`)));
        look();
      });
    const running: Running = {
      process: child,
      ended,
      said: (pattern) => until(child.stderr, () => pattern.test(stderr), `saying ${pattern}`),
      printed: (lines) =>
        until(child.stdout, () => stdout.split('\n').length > lines, `printing ${lines} lines`),
    };
    this.#running.add(running);
    return running;
  }

  run(args: string[], env: Record<string, string> = {}): Promise<Ended> {
    return this.start(args, env).ended;
  }

  /** Runs, expects exit 0, and parses the JSON document on stdout. */
  async json<T>(args: string[], env: Record<string, string> = {}): Promise<T> {
    const ended = await this.run([...args, '--json'], env);
    if (ended.code !== 0)
      throw new Error(`visionscale ${args.join(' ')} ended with ${ended.code}:\n${ended.stderr}`);
    return JSON.parse(ended.stdout) as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running) running.process.kill('SIGKILL');
    await Promise.all([...this.#running].map((running) => running.ended));
    // The embedded database's keeper ends a moment after its last user.
    await rm(this.dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
  }
}
