/** A process of this same binary that ends with its parent, however the parent ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { VisionscaleError } from '../../base/errors.ts';
import { packageRoot } from '../../base/package.ts';
import type { Environment } from '../../config/load.ts';

const binary = join(packageRoot, 'bin/visionscale.js');

const keptErrorLines = 20;
const stopGraceMs = 10_000;

export class Child implements AsyncDisposable {
  readonly name: string;
  /** Rejects when the process fails; resolves to its stdout when it ends with 0. */
  readonly ended: Promise<string>;
  readonly #process;
  readonly #onLine: (line: string) => void;
  #stopping = false;
  #killedFor: string | undefined;

  /** `onLine` hears what it writes to stderr. */
  constructor(
    name: string,
    args: readonly string[],
    env: Environment,
    onLine: (line: string) => void = () => undefined,
  ) {
    this.name = name;
    this.#onLine = onLine;
    // Its own process group: Ctrl-C reaches the parent alone, which then stops its children in order.
    this.#process = spawn(process.execPath, [binary, ...args], {
      env: env,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#process.stdin.on('error', () => undefined);
    this.ended = this.#end();
    this.ended.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** At once, whatever it does, also where it is stopped. `why` is how it ended: `was silent`. */
  kill(why: string): void {
    this.#killedFor = why;
    this.#process.kill('SIGKILL');
  }

  /** Closes its stdin, which `--while-stdin` takes as the sign to drain; kills it if that takes too long. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#process.stdin.end();
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), stopGraceMs);
    await this.ended.catch(() => undefined);
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #end(): Promise<string> {
    const out: Buffer[] = [];
    const errorLines: string[] = [];
    this.#process.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    createInterface({ input: this.#process.stderr }).on('line', (line) => {
      errorLines.push(line);
      if (errorLines.length > keptErrorLines) errorLines.shift();
      this.#onLine(line);
    });
    const [code, signal] = (await once(this.#process, 'close')) as [number | null, NodeJS.Signals | null];
    if (code === 0 || this.#stopping) return Buffer.concat(out).toString();
    if (this.#killedFor !== undefined) {
      throw new VisionscaleError(`${this.name} ${this.#killedFor}`, { code: 'child_failed' });
    }
    throw new VisionscaleError(`${this.name} ended with ${signal ?? `exit code ${code}`}`, {
      code: 'child_failed',
      hint: errorLines.join('\n').trim(),
    });
  }
}
