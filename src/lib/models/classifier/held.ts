/** Classifiers by the digests of their models: as many as fit into memory, the least recently used closed for a new one. */
import type { ModelInfo } from '../../base/classification.ts';
import { errorMessage, isRetryable, VisionscaleError } from '../../base/errors.ts';
import { unlessAborted } from '../../base/flow/waiting.ts';
import type { Classifier } from './classifier.ts';

/**
 * What a process of a classifier takes, in bytes: it has the weights, and the runtime's copies of them. Measured after 40
 * photographs (onnx, private memory): 82 to 91 MiB with weights of 2.9 MiB, 98 to 117 with 4.7, 135 to 170 with 17.8.
 */
const runtimeBytes = 80 * 2 ** 20;
const copiesOfWeights = 5;
/** A model that could not be opened is tried again after this, in milliseconds: what failed may pass, or be mended. */
const retryMs = { retryable: 2000, otherwise: 15_000 };

export interface HeldOptions {
  /** Most memory of all but those that are kept, in bytes. One besides those is held however large it is. */
  memoryBytes: number;
  /** Fetches, verifies, opens and warms a model. `mayGrow` is asked before each process but the first. */
  open: (digest: string, mayGrow: () => boolean) => Promise<Classifier>;
  /** Told of a model that is closed to make room. */
  onClosed?: (model: ModelInfo) => void;
  /** Told of each attempt to open a model that failed. */
  onFailed?: (digest: string, reason: string) => void;
  now?: () => number;
}

/** A model, and the size of its weights in bytes. */
export interface Wanted {
  digest: string;
  bytes: number;
}

/** Not closed before it is given back. */
export interface Lent extends Disposable {
  readonly classifier: Classifier;
}

interface Held {
  readonly digest: string;
  /** Of a process. */
  readonly bytes: number;
  readonly opening: Promise<Classifier>;
  /** Null until it is open. */
  classifier: Classifier | null;
  /** 0 while it waits for room. */
  processes: number;
  /** Takes no room from the others, and is not closed for them. */
  kept: boolean;
  lent: number;
}

interface Failure {
  error: unknown;
  until: number;
}

export class HeldModels implements AsyncDisposable {
  readonly #options: HeldOptions;
  readonly #now: () => number;
  /** The least recently used first. */
  readonly #held = new Map<string, Held>();
  /** Those that finish what they have, and are closed. */
  readonly #leaving = new Map<Held, Promise<void>>();
  readonly #failures = new Map<string, Failure>();
  #waiting: (() => void)[] = [];
  #closing: Promise<void> | undefined;

  constructor(options: HeldOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /**
   * Opens it where it is not open, and waits for room before that. Rejects with what opening failed with, for a while without
   * trying again, or with the signal's reason. `keep`: it need not wait for room.
   */
  async lend(wanted: Wanted, { signal, keep = false }: LendOptions = {}): Promise<Lent> {
    const held = this.#held.get(wanted.digest) ?? this.#load(wanted, keep);
    this.#held.delete(held.digest);
    this.#held.set(held.digest, held);
    if (keep && !held.kept) {
      held.kept = true;
      this.#tell();
    }
    held.lent++;
    let given = false;
    const giveBack = () => {
      if (given) return;
      given = true;
      held.lent--;
      this.#tell();
    };
    try {
      const classifier = held.classifier ?? (await orAborted(held.opening, signal));
      return { classifier, [Symbol.dispose]: giveBack };
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  isOpen(digest: string): boolean {
    return this.#held.get(digest)?.classifier != null;
  }

  /** Whether there is room for it without closing another one. */
  fits({ bytes }: Wanted): boolean {
    return this.#taken() + processBytes(bytes) <= this.#options.memoryBytes;
  }

  /** Why it could not be opened the last time, until it can be; null where it could. */
  failureOf(digest: string): { reason: string; triesAgain: boolean } | null {
    const failure = this.#failures.get(digest);
    if (failure === undefined) return null;
    return { reason: errorMessage(failure.error), triesAgain: this.#now() >= failure.until };
  }

  /** The one that is kept from now on, whatever it takes; another one is so no longer. It must be held. */
  keep(digest: string): void {
    for (const held of this.#held.values()) held.kept = held.digest === digest;
    this.#tell();
  }

  /** Closes all others but the one that is kept, and forgets why they could not be opened. */
  only(digests: ReadonlySet<string>): void {
    for (const held of [...this.#held.values()]) {
      if (!held.kept && !digests.has(held.digest)) this.#close(held);
    }
    for (const digest of this.#failures.keys()) if (!digests.has(digest)) this.#failures.delete(digest);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  #load({ digest, bytes }: Wanted, keep: boolean): Held {
    if (this.#closing !== undefined) throw closed();
    const failure = this.#failures.get(digest);
    if (failure !== undefined && this.#now() < failure.until) throw failure.error;
    const state = { digest, bytes: processBytes(bytes), classifier: null, processes: 0, kept: keep, lent: 0 };
    const held: Held = Object.assign(state, { opening: Promise.resolve().then(() => this.#open(held)) });
    held.opening.catch(() => undefined); // whoever waits for it hears of it
    this.#held.set(digest, held);
    return held;
  }

  async #open(held: Held): Promise<Classifier> {
    try {
      await this.#takeRoom(held);
      const classifier = await this.#options.open(held.digest, () => this.#grow(held));
      this.#failures.delete(held.digest);
      return (held.classifier = classifier);
    } catch (error) {
      const { retryable, otherwise } = retryMs;
      const until = this.#now() + (isRetryable(error) ? retryable : otherwise);
      this.#failures.set(held.digest, { error, until });
      if (this.#held.get(held.digest) === held) this.#held.delete(held.digest);
      if (this.#closing === undefined) this.#options.onFailed?.(held.digest, errorMessage(error));
      throw error;
    } finally {
      this.#tell();
    }
  }

  /** Room for its first process, once others are closed that have not been used for the longest time. */
  async #takeRoom(held: Held): Promise<void> {
    while (!held.kept) {
      if (this.#closing !== undefined) throw closed();
      const { memoryBytes } = this.#options;
      const others = [...this.#held.values()].filter((one) => one !== held && !one.kept);
      const needed = memoryOf(others) + held.bytes;
      if (needed + memoryOf(this.#leaving.keys()) <= memoryBytes) break;
      const victim = needed > memoryBytes ? others.find(({ classifier }) => classifier !== null) : undefined;
      if (victim !== undefined) {
        this.#options.onClosed?.(victim.classifier!.model);
        this.#close(victim);
        continue;
      }
      // Those that open now can be closed when they have done what they were opened for.
      if (this.#leaving.size === 0 && others.every(({ processes }) => processes === 0)) break;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    held.processes = 1;
  }

  #grow(held: Held): boolean {
    if (!held.kept && this.#taken() + held.bytes > this.#options.memoryBytes) return false;
    held.processes++;
    return true;
  }

  #taken(): number {
    const counted = [...this.#held.values()].filter(({ kept }) => !kept);
    return memoryOf(counted) + memoryOf(this.#leaving.keys());
  }

  /** Nobody is given it any more; who has it finishes first. */
  #close(held: Held): void {
    if (this.#held.get(held.digest) === held) this.#held.delete(held.digest);
    const leave = async () => {
      const classifier = await held.opening.catch(() => null);
      while (held.lent > 0 && this.#closing === undefined) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
      await classifier?.[Symbol.asyncDispose]();
    };
    const left = leave()
      .catch(() => undefined)
      .finally(() => {
        this.#leaving.delete(held);
        this.#tell();
      });
    this.#leaving.set(held, left);
  }

  /** They finish what they are at. */
  async #closeAll(): Promise<void> {
    for (const held of [...this.#held.values()]) this.#close(held);
    this.#tell();
    await Promise.all(this.#leaving.values());
  }

  #tell(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

interface LendOptions {
  signal?: AbortSignal | undefined;
  keep?: boolean;
}

function processBytes(weights: number): number {
  return runtimeBytes + copiesOfWeights * weights;
}

function memoryOf(all: Iterable<Held>): number {
  let sum = 0;
  for (const { bytes, processes } of all) sum += bytes * processes;
  return sum;
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const done = await unlessAborted(work, signal);
  if (done === undefined) throw signal.reason;
  return done;
}

function closed(): VisionscaleError {
  return new VisionscaleError('the classifier is closed', { code: 'classifier_closed', retryable: true });
}
