/** The verb `classify --local`: the files of a directory through the classifier, one by one in the order of their paths. */
import type { Score } from '../../base/classification.ts';
import { ImageError, VisionscaleError } from '../../base/errors.ts';
import { readImageFile } from '../../base/files/read-file.ts';
import {
  checkPaths,
  type Found,
  type FoundFile,
  pathFilter,
  type Rejection,
  walk,
} from '../../base/files/walk.ts';
import { orderedGroups } from '../../base/flow/ordered-groups.ts';
import { retry } from '../../base/flow/retry.ts';
import type { Classifier } from '../../models/classifier/classifier.ts';

export interface ClassifyOptions {
  /** A directory, or one file. */
  path: string;
  include?: readonly string[];
  exclude?: readonly string[];
  /** Symbolic links that lead out of the directory are followed. */
  followLinks?: boolean;
  /** What is no image by name is rejected, not passed over. */
  strict?: boolean;
  /** Most files to look at. */
  limit?: number;
  /** Largest file, in bytes. */
  maxBytes: number;
  /** Aborted: nothing new is begun, and what is in flight is still told. */
  signal: AbortSignal;
}

export interface ClassifiedImage {
  /** Path below the given directory. */
  image: string;
  category: string;
  /** Percent, 0 to 100. */
  confidence: number;
  top: Score[];
  /** How unlike every class; 1 or more: unknown. Null where the model does not tell. */
  novelty: number | null;
  /** The model's name. */
  model: string;
  /** `sha256:` and 64 hex digits. */
  modelDigest: string;
}

/** `file`: its real path. */
export type ClassifyOutcome = { kind: 'classified'; result: ClassifiedImage; file: string } | LeftOut;

/** A file that is not classified. */
export type LeftOut =
  | { kind: 'rejected'; rejection: Rejection }
  /** It is no image by name; `what` is its `foreignKind`. */
  | { kind: 'passed over'; what: string };

/** Attempts at an image whose worker thread dies. */
const attempts = 3;

/**
 * Pulls no further ahead than keeps the workers busy. A bad file is an outcome and stops nothing. Throws a UsageError where
 * there is no such path, and what is not the image's fault.
 */
export async function* classify(
  classifier: Classifier,
  options: ClassifyOptions,
): AsyncGenerator<ClassifyOutcome> {
  const { maxBytes, signal } = options;

  async function classifyFile({ file, path, relative }: FoundFile): Promise<ClassifyOutcome> {
    try {
      // One attempt is reading and classifying: the classifier takes over the bytes.
      const found = await retry(async () => classifier.classify(await readImageFile(file, maxBytes)), {
        signal,
        attempts,
      });
      const { top, novelty = null, model } = found;
      const { category, confidence } = top[0]!;
      const { name, digest } = model;
      return {
        kind: 'classified',
        file,
        result: { image: relative, category, confidence, top, novelty, model: name, modelDigest: digest },
      };
    } catch (error) {
      if (isRejection(error)) return { kind: 'rejected', rejection: { path, reason: error.message } };
      throw error;
    }
  }

  const groups = orderedGroups(
    (stopped) => filesOf(options, stopped),
    async (found): Promise<ClassifyOutcome> => ('file' in found ? classifyFile(found.file) : leftOut(found)),
    { inFlight: 2 * classifier.workers + 2, signal },
  );
  for await (const group of groups) yield* group;
}

export function leftOut(found: Exclude<Found, { file: FoundFile }>): LeftOut {
  if ('rejected' in found) return { kind: 'rejected', rejection: found.rejected };
  return { kind: 'passed over', what: found.passedOver };
}

/** How many files `classify` will look at; undefined when aborted. */
export async function countFiles(options: Omit<ClassifyOptions, 'maxBytes'>): Promise<number | undefined> {
  let files = 0;
  for await (const found of filesOf(options, options.signal)) if (!('passedOver' in found)) files++;
  return options.signal.aborted ? undefined : files;
}

/** The files that are meant, up to the limit. Throws a UsageError where there is no such path. */
export async function* filesOf(
  options: Omit<ClassifyOptions, 'maxBytes'>,
  signal: AbortSignal,
): AsyncGenerator<Found> {
  const { path, include, exclude, followLinks = false, strict = false, limit = Infinity } = options;
  await checkPaths([path]);
  let files = 0;
  for await (const found of walk(path, pathFilter(include, exclude), signal, { followLinks, strict })) {
    if (!('passedOver' in found) && files++ >= limit) return;
    yield found;
  }
}

/** Faults of the one file, not of the run. */
function isRejection(error: unknown): error is VisionscaleError {
  return (
    error instanceof ImageError || (error instanceof VisionscaleError && error.code === 'worker_crashed')
  );
}
