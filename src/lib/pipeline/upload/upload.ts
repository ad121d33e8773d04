/**
 * `upload`: images from files to the object store, their keys to the table. An image is its content (SHA-256): what
 * the table knows already is skipped, what differs is replaced. The object is put before the row is written, so
 * whatever is killed, no row lacks its object; where it replaces another, the row first forgets that one's digest, so
 * no row vouches for an object it does not know. The next run finishes what this one did not.
 */
import { createHash } from 'node:crypto';
import {
  errorMessage,
  ImageError,
  isRetryable,
  ObjectError,
  VisionscaleError,
  UsageError,
} from '../../base/errors.ts';
import { PassedOverCount } from '../../base/files/image-names.ts';
import { readImageFile } from '../../base/files/read-file.ts';
import { checkPaths, pathFilter, type Rejection } from '../../base/files/walk.ts';
import { forEachConcurrently } from '../../base/flow/for-each.ts';
import { outageMs, retry } from '../../base/flow/retry.ts';
import type { UploadResult } from '../../base/results.ts';
import type { ImageRow, ImageTable } from '../../systems/database/tables/images.ts';
import { objectKeyFault, type ObjectStore } from '../../systems/objects/store.ts';
import { type Candidate, plan } from './plan.ts';

export interface UploadDeps extends Omit<UploadImageDeps, 'patiently'> {
  report: (event: UploadEvent) => void;
  /** Aborted: nothing new is begun, what is in flight is finished, and the result says `interrupted`. */
  signal: AbortSignal;
}

export interface UploadOptions {
  /** How long what is away is waited for, in milliseconds; default: five minutes. */
  giveUpAfterMs?: number | undefined;
  /** Files and directories. A directory's keys are the paths below it, a file's is its name. */
  paths: readonly string[];
  include?: readonly string[];
  exclude?: readonly string[];
  /** Symbolic links that lead out of a path are followed. */
  followLinks?: boolean;
  /** What is no image by name is rejected, not passed over. */
  strict?: boolean;
  /** A folder to put all keys in. */
  prefix?: string;
  /** Images at a time, each whole in memory; default 16. */
  concurrency?: number;
  /** Look and tell, but write nothing. */
  dryRun?: boolean;
  /** Also ask the store whether what would be skipped is still there. */
  recheck?: boolean;
  maxBytes: number;
  /** Most attempts at a step while the store or the database is away; by default for five minutes. */
  attempts?: number;
}

export type { UploadResult } from '../../base/results.ts';

/**
 * Throws a UsageError for paths that do not exist, and the store's or database's error when it stays away or denies
 * access; running it again goes on where it stopped. Bad files are rejected one by one and stop nothing.
 */
export async function upload(deps: UploadDeps, options: UploadOptions): Promise<UploadResult> {
  const { store, check, report, signal } = deps;
  const images = savingTogether(deps.images);
  const { dryRun = false, recheck = false, concurrency = 16, maxBytes, attempts = Infinity } = options;
  const started = performance.now();
  const passedOver = new PassedOverCount();
  const result: UploadResult = {
    uploaded: 0,
    replaced: 0,
    skipped: 0,
    rejected: [],
    ...passedOver.result,
    bytes: 0,
    seconds: 0,
    interrupted: false,
  };
  if (dryRun) result.wouldUpload = 0;
  const found = { files: 0, bytes: 0 };
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);

  const patiently = <T>(step: () => Promise<T>): Promise<T> =>
    retry(step, {
      signal: stop,
      attempts,
      forMs: options.giveUpAfterMs ?? outageMs,
      onWait: (error, delayMs, attempt) => report({ kind: 'waiting', error, attempt, delayMs }),
    });
  const reject = (rejection: Rejection) => {
    result.rejected.push(rejection);
    report({ kind: 'rejected', ...rejection });
  };

  async function uploadOne(candidate: Candidate): Promise<void> {
    const { path, file, key, knownSha256 } = candidate;
    const content = await readImageFile(file, maxBytes);
    const bytes = content.length;
    const outcome = { path, key, bytes, replaced: knownSha256 !== null };
    const steps = { store, images, check, patiently };
    const kind = await uploadImage(steps, { key, content, knownSha256 }, { dryRun, recheck });
    switch (kind) {
      case 'skipped':
        result.skipped++;
        report({ kind, path, key, bytes });
        return;
      case 'would_upload':
        result.wouldUpload = (result.wouldUpload ?? 0) + 1;
        report({ kind, ...outcome });
        return;
      case 'uploaded':
        result.uploaded++;
        if (outcome.replaced) result.replaced++;
        result.bytes += bytes;
        report({ kind, ...outcome });
    }
  }

  async function uploadOrReject(candidate: Candidate): Promise<void> {
    try {
      await uploadOne(candidate);
    } catch (error) {
      if (isRejection(error)) return reject({ path: candidate.path, reason: error.message });
      if (signal.aborted && isRetryable(error)) return; // no time to wait; the next run does it
      failed.abort();
      throw error;
    }
  }

  const candidates = plan({
    paths: await checkPaths(options.paths),
    filter: pathFilter(options.include, options.exclude),
    followLinks: options.followLinks === true,
    strict: options.strict === true,
    prefix: keyPrefix(options.prefix ?? ''),
    maxBytes,
    signal: stop,
    lookup: (keys) => patiently(() => images.lookup(keys)),
    onFound(bytes) {
      found.files++;
      found.bytes += bytes;
      report({ kind: 'found', ...found, complete: false });
    },
    onPassedOver: (kind) => passedOver.add(kind),
    onRejected: reject,
  });
  try {
    await forEachConcurrently(withEnd(candidates), concurrency, uploadOrReject);
  } catch (error) {
    if (!(signal.aborted && isRetryable(error))) throw stopped(error, result.uploaded);
  }
  Object.assign(result, passedOver.result);
  result.interrupted = signal.aborted;
  result.seconds = Math.round(performance.now() - started) / 1000;
  return result;

  async function* withEnd(source: AsyncIterable<Candidate>): AsyncGenerator<Candidate> {
    yield* source;
    if (!stop.aborted) report({ kind: 'found', ...found, complete: true });
  }
}

/** Rows that come while others are being saved are saved together: the database makes each commit durable, one after another. */
function savingTogether(images: ImageTable): ImageTable {
  let last: Promise<unknown> = Promise.resolve();
  let next: { rows: ImageRow[]; saved: Promise<void> } | undefined;
  return {
    lookup: (keys) => images.lookup(keys),
    forget: (key) => images.forget(key),
    save(rows) {
      if (next === undefined) {
        const together: ImageRow[] = [];
        const saved = last.then(() => {
          next = undefined;
          return images.save(together);
        });
        last = saved.catch(() => undefined);
        next = { rows: together, saved };
      }
      next.rows.push(...rows);
      return next.saved;
    },
  };
}

/** Faults of the one file, not of the run. */
function isRejection(error: unknown): error is VisionscaleError {
  return error instanceof ImageError || (error instanceof ObjectError && error.code === 'bad_key');
}

function stopped(error: unknown, uploaded: number): unknown {
  if (!(error instanceof VisionscaleError)) return error;
  const goOn = 'Run the same command again to continue: what is done is skipped.';
  return new VisionscaleError(`upload stopped after ${uploaded} images: ${errorMessage(error)}`, {
    code: error.code,
    retryable: error.retryable,
    hint: error.hint === undefined ? goOn : `${error.hint}\n${goOn}`,
    cause: error,
  });
}

export type UploadEvent =
  /** The walk has come this far: all files so far and their bytes; each ends as one of the next four. */
  | { kind: 'found'; files: number; bytes: number; complete: boolean }
  | { kind: 'uploaded'; path: string; key: string; bytes: number; replaced: boolean }
  /** A dry run would upload it. */
  | { kind: 'would_upload'; path: string; key: string; bytes: number; replaced: boolean }
  /** Unchanged since an earlier upload. */
  | { kind: 'skipped'; path: string; key: string; bytes: number }
  | { kind: 'rejected'; path: string; reason: string }
  /** The store or the database is away; the step is tried again after `delayMs`. */
  | { kind: 'waiting'; error: unknown; attempt: number; delayMs: number };

/** Empty, or what keys begin with, a slash at its end. Throws a UsageError. */
export function keyPrefix(text: string): string {
  const folder = text.replace(/^\/+|\/+$/g, '');
  if (folder === '') return '';
  const fault = objectKeyFault(folder);
  if (fault !== undefined) throw new UsageError(`keys cannot begin with this prefix: ${fault}`);
  return `${folder}/`;
}

/** One image: into the object store, then into the table. What the table knows already is left alone. */
export interface UploadImageDeps {
  store: ObjectStore;
  images: ImageTable;
  /** Says what kind of image it is; throws an ImageError where it is none, or one that cannot be classified. */
  check: (bytes: Buffer) => Promise<{ contentType: string }>;
  /** Runs a step, however often it takes while something is away. */
  patiently: <T>(step: () => Promise<T>) => Promise<T>;
}

interface NewImage {
  key: string;
  content: Buffer;
  /** What the table says of the key now. */
  knownSha256: string | null;
}

interface UploadImageOptions {
  /** Look and tell, but write nothing. */
  dryRun?: boolean;
  /** Also ask the store whether what would be skipped is still there. */
  recheck?: boolean;
}

/** Throws what `check` throws, and the store's and database's errors where `patiently` gives up. */
export async function uploadImage(
  { store, images, check, patiently }: UploadImageDeps,
  { key, content, knownSha256 }: NewImage,
  { dryRun = false, recheck = false }: UploadImageOptions = {},
): Promise<'uploaded' | 'skipped' | 'would_upload'> {
  const bytes = content.length;
  const sha256 = createHash('sha256').update(content).digest('hex');
  const same = sha256 === knownSha256;
  if (same && !(recheck && (await patiently(() => store.head(key)))?.bytes !== bytes)) return 'skipped';
  const { contentType } = await check(content);
  if (dryRun) return 'would_upload';
  // Killed behind the put, the row would vouch for an object that is another by now, should the old file come back.
  if (knownSha256 !== null && !same) await patiently(() => images.forget(key));
  await patiently(() => store.put(key, content, { contentType, sha256 }));
  await patiently(() => images.save([{ key, sha256, bytes, contentType }]));
  return 'uploaded';
}
