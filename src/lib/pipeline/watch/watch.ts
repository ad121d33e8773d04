/**
 * The verb `watch`: a folder that a camera writes to. Each file is sent once it is whole: into the store, into the table,
 * and its key into the topic. What was sent is known by its content in the table, so a restart doubles and loses nothing.
 */
import { realpath } from 'node:fs/promises';
import type { Pool } from 'pg';
import { errorMessage, faultCode, isRetryable, ObjectError, UsageError } from '../../base/errors.ts';
import { foreignReason, type PassedOver, PassedOverCount } from '../../base/files/image-names.ts';
import { pathFilter } from '../../base/files/walk.ts';
import { forEachConcurrently } from '../../base/flow/for-each.ts';
import { retry } from '../../base/flow/retry.ts';
import type { Topic } from '../../systems/topic/topic.ts';
import { type UploadImageDeps, keyPrefix } from '../upload/upload.ts';
import { watchFolder } from './folder.ts';
import { type WatchEvent, Sender, SettledFiles, Visit } from './visit.ts';

export type { WatchEvent } from './visit.ts';

export interface WatchDeps extends Omit<UploadImageDeps, 'patiently'> {
  pool: Pool;
  topic: Topic;
  report: (event: WatchEvent) => void;
}

export interface WatchOptions {
  dir: string;
  include?: readonly string[];
  /** Besides the names that stand for files not finished yet. */
  exclude?: readonly string[];
  /** What is no image by name is rejected, not passed over. */
  strict?: boolean;
  /** A folder to put all keys in. */
  prefix?: string;
  belt?: string;
  /** How long a file has to be unchanged, in milliseconds. */
  settleMs: number;
  /** How long one that cannot be decoded has to be unchanged until it is rejected, in milliseconds. */
  incompleteMs: number;
  /** Look every so many milliseconds instead of being told by the system; null: be told. */
  pollMs: number | null;
  /** Delete what has been sent. */
  deleteAfter: boolean;
  /** Images at a time, each whole in memory. */
  concurrency: number;
  maxBytes: number;
  /** Partitions of the topic where it has to be created. */
  partitions: number;
  /** Aborted: nothing new is begun, what is in flight is finished. */
  signal: AbortSignal;
}

export interface WatchResult extends PassedOver {
  sent: number;
  /** Of the sent: those whose key held another image before. */
  replaced: number;
  skipped: number;
  rejected: number;
  deleted: number;
  bytes: number;
  seconds: number;
}

/** Names under which programs keep what they have not finished: an FTP server's, a browser's, rsync's. */
const unfinished = ['.*', '*.tmp', '*.temp', '*.part', '*.partial', '*.filepart', '*.crdownload', '*~'];

/** Runs until the signal aborts. Whatever is away is waited for; throws what waiting does not mend. */
export async function watch(deps: WatchDeps, options: WatchOptions): Promise<WatchResult> {
  const { pool, topic, report } = deps;
  const { settleMs, incompleteMs, pollMs, signal } = options;
  const began = performance.now();
  const dir = await realpath(options.dir).catch((error: unknown) => {
    throw new UsageError(`${options.dir} cannot be watched: ${errorMessage(error)}`);
  });
  const filter = pathFilter(options.include, [...unfinished, ...(options.exclude ?? [])]);
  const passedOver = new PassedOverCount();
  const result: WatchResult = {
    sent: 0,
    replaced: 0,
    skipped: 0,
    rejected: 0,
    ...passedOver.result,
    deleted: 0,
    bytes: 0,
    seconds: 0,
  };
  const tell = (event: WatchEvent) => {
    if (event.kind === 'passed over') passedOver.add(event.what);
    else count(result, event);
    report(event);
  };
  let lost: Error | undefined;
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const patiently = <T>(step: () => Promise<T>): Promise<T> =>
    retry(step, {
      signal: stop,
      // Rights and buckets are put right by people, as with `consume`.
      shouldRetry: (error) =>
        isRetryable(error) || (error instanceof ObjectError && error.code !== 'bad_key'),
      onWait: (error) => tell({ kind: 'waiting', reason: errorMessage(error), code: faultCode(error) }),
    });

  await patiently(() => topic.create(options.partitions));
  await using producer = await patiently(() => topic.producer());
  const settled = new SettledFiles({ settleMs });
  const sender = new Sender({ ...deps, pool, producer, patiently }, options);
  const visit = new Visit(
    { sender, settled, report: tell },
    { ...options, dir, prefix: keyPrefix(options.prefix ?? ''), incompleteMs },
  );
  const list = new LookList();
  await using folder = watchFolder({
    dir,
    filter,
    pollMs,
    onFile: (path) => list.touch(path),
    onForeign(path, kind) {
      if (options.strict === true) tell({ kind: 'rejected', path, reason: foreignReason(kind) });
      else tell({ kind: 'passed over', path, what: kind });
    },
    onGone: (path) => settled.forget(path),
    onReady: () => tell({ kind: 'watching', dir }),
    onProblem: (error) => tell({ kind: 'problem', reason: errorMessage(error) }),
    onLost: (error) => {
      lost ??= error;
      failed.abort();
    },
  });
  try {
    await forEachConcurrently(list.paths(stop), options.concurrency, async (path) => {
      let again: number | null = null;
      try {
        again = await visit.visit(path);
      } catch (error) {
        failed.abort();
        throw error;
      } finally {
        list.done(path, again);
      }
    });
  } catch (error) {
    // Told to stop while something was away: the next run goes on from there.
    if (!(stop.aborted && (isRetryable(error) || error instanceof ObjectError))) throw error;
  }
  await folder[Symbol.asyncDispose]();
  if (lost !== undefined && !signal.aborted) throw lost;
  Object.assign(result, passedOver.result);
  result.seconds = Math.round(performance.now() - began) / 1000;
  return result;
}

function count(result: WatchResult, event: Exclude<WatchEvent, { kind: 'passed over' }>): void {
  switch (event.kind) {
    case 'sent':
      result.sent++;
      if (event.replaced) result.replaced++;
      result.bytes += event.bytes;
      break;
    case 'skipped':
    case 'rejected':
    case 'deleted':
      result[event.kind]++;
      break;
    case 'watching':
    case 'waiting':
    case 'problem':
      break;
  }
}

/** Paths that deserve a look, now or after a while: each is looked at by one worker at a time, and again when it was touched meanwhile. */
class LookList {
  /** In the order they came. */
  readonly #ready = new Set<string>();
  readonly #later = new Map<string, NodeJS.Timeout>();
  /** Being looked at; true: once more after that. */
  readonly #busy = new Map<string, boolean>();
  #wake: () => void = () => undefined;

  /** Something happened to it. */
  touch(path: string): void {
    if (this.#busy.has(path)) this.#busy.set(path, true);
    else this.#now(path);
  }

  /** A worker is done with it; `afterMs`: it is to be looked at again then, if nothing happens before. */
  done(path: string, afterMs: number | null): void {
    const touched = this.#busy.get(path) === true;
    this.#busy.delete(path);
    if (touched) return this.#now(path);
    if (afterMs === null) return;
    // Whoever has stopped taking paths does not wait for it.
    this.#later.set(path, setTimeout(() => this.#now(path), afterMs).unref());
  }

  /** For ever, until `signal` aborts. What is handed out is given back by `done`. */
  async *paths(signal: AbortSignal): AsyncGenerator<string> {
    const stop = () => this.#wake();
    signal.addEventListener('abort', stop);
    try {
      while (!signal.aborted) {
        const [path] = this.#ready;
        if (path === undefined) {
          await new Promise<void>((resolve) => (this.#wake = resolve));
          continue;
        }
        this.#ready.delete(path);
        this.#busy.set(path, false);
        yield path;
      }
    } finally {
      signal.removeEventListener('abort', stop);
      for (const timer of this.#later.values()) clearTimeout(timer);
    }
  }

  #now(path: string): void {
    clearTimeout(this.#later.get(path));
    this.#later.delete(path);
    this.#ready.add(path);
    this.#wake();
  }
}
