/** Turns the given paths into a stream of files to look at, each with its key and what the table knows of it. */
import { tooManyBytes } from '../../base/files/read-file.ts';
import { type FoundFile, type PathFilter, type Rejection, walk } from '../../base/files/walk.ts';
import type { KnownImage } from '../../systems/database/tables/images.ts';
import { objectKeyFault } from '../../systems/objects/store.ts';

export interface Candidate extends FoundFile {
  key: string;
  /** Null where the table has no row, or one that somebody made by hand. */
  knownSha256: string | null;
}

export interface PlanOptions {
  /** Files and directories, each once. */
  paths: readonly string[];
  filter: PathFilter;
  /** Symbolic links that lead out of a path are followed. */
  followLinks: boolean;
  /** What is no image by name is rejected. */
  strict: boolean;
  /** Empty, or what keys begin with, a slash at its end. */
  prefix: string;
  maxBytes: number;
  signal: AbortSignal;
  lookup: (keys: readonly string[]) => Promise<KnownImage[]>;
  /** For every file, also those that are rejected. */
  onFound: (bytes: number) => void;
  /** For what is no image by name, which is no file of the run. */
  onPassedOver: (kind: string) => void;
  onRejected: (rejection: Rejection) => void;
}

/** Keys asked of the table at a time; also how far the walk runs ahead. */
const LOOKUP_BATCH = 256;

/** Every candidate has a key of its own; whatever cannot be one is told to `onRejected`. Ends when aborted. */
export async function* plan(options: PlanOptions): AsyncGenerator<Candidate> {
  let batch: Omit<Candidate, 'knownSha256'>[] = [];
  for await (const found of keyed(options)) {
    batch.push(found);
    if (batch.length < LOOKUP_BATCH) continue;
    yield* compared(batch, options);
    batch = [];
  }
  yield* compared(batch, options);
}

async function* compared(
  batch: Omit<Candidate, 'knownSha256'>[],
  options: PlanOptions,
): AsyncGenerator<Candidate> {
  if (batch.length === 0 || options.signal.aborted) return;
  const rows = await options.lookup(batch.map(({ key }) => key));
  const known = new Map(rows.map(({ key, sha256 }) => [key, sha256]));
  for (const found of batch) {
    if (options.signal.aborted) return;
    yield { ...found, knownSha256: known.get(found.key) ?? null };
  }
}

async function* keyed(options: PlanOptions): AsyncGenerator<Omit<Candidate, 'knownSha256'>> {
  const { paths, filter, followLinks, strict, prefix, maxBytes, signal, onFound, onRejected } = options;
  // One directory gives no key twice; only several paths can, and only then are keys remembered.
  const taken = paths.length > 1 ? new Map<string, FoundFile>() : undefined;
  for (const path of paths) {
    for await (const found of walk(path, filter, signal, { followLinks, strict })) {
      if ('passedOver' in found) {
        options.onPassedOver(found.passedOver);
        continue;
      }
      if ('rejected' in found) {
        onFound(0);
        onRejected(found.rejected);
        continue;
      }
      const { file } = found;
      const key = prefix + file.relative;
      const other = taken?.get(key);
      if (other?.file === file.file) continue; // the same file, given twice
      onFound(file.bytes);
      const fault = objectKeyFault(key);
      if (fault !== undefined) onRejected({ path: file.path, reason: `its name cannot be a key: ${fault}` });
      else if (other) onRejected({ path: file.path, reason: `it has the same key as ${other.path}: ${key}` });
      else if (file.bytes > maxBytes) {
        onRejected({ path: file.path, reason: tooManyBytes(file.bytes, maxBytes).message });
      } else {
        taken?.set(key, file);
        yield { ...file, key };
      }
    }
  }
}
