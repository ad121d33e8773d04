/** Corrected images as examples to train with: fetched from the object store into a cache, each content once. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { ImageError, isRetryable, ObjectError, VisionscaleError } from '../base/errors.ts';
import { inByteOrder, labelFault } from '../base/files/class-folders.ts';
import { replaceFile } from '../base/files/disk.ts';
import { makeDirectory, makeWritableDirectory } from '../base/files/make-directory.ts';
import { forEachConcurrently } from '../base/flow/for-each.ts';
import { retry } from '../base/flow/retry.ts';
import { type ImagesApart, openImagesApart } from '../models/images/apart.ts';
import type { ImageLimits } from '../models/images/limits.ts';
import { correctionPage, type StoredCorrection } from '../systems/database/tables/corrections.ts';
import { quoteKey, type ObjectStore } from '../systems/objects/store.ts';
import type { Dataset } from './datasets/dataset.ts';

export interface CorrectionDeps {
  pool: Pool;
  store: ObjectStore;
  limits: ImageLimits;
  signal: AbortSignal;
  /** Told after every correction. */
  onProgress?: (done: number) => void;
}

export interface CorrectedDataset extends Dataset {
  /** Corrections that could not be used: the image is gone, was replaced, or is no image. */
  skipped: { key: string; reason: string }[];
}

const concurrency = 8;
/** At an image while the store is away: the waits are five to nine seconds. */
const attempts = 9;
const pageSize = 1000;

/**
 * The images of all corrections of a pipeline with their true labels, as files below `cacheDir` that are named by their
 * content and stay for the next time. Labels are in the order of their names. One content under two labels is left out.
 * Throws ObjectError, DatabaseError, and `no_corrections` where there is nothing to train with.
 */
export async function correctedExamples(
  deps: CorrectionDeps,
  pipeline: string,
  cacheDir: string,
): Promise<CorrectedDataset> {
  const { pool, signal, onProgress } = deps;
  const skipped: CorrectedDataset['skipped'] = [];
  const found = new Map<string, { path: string; label: string; key: string }>();
  const contested = new Set<string>();
  let done = 0;
  await makeWritableDirectory(cacheDir);
  await using looking = openImagesApart(deps.limits);
  await forEachConcurrently(corrections(pool, pipeline, signal), concurrency, async (correction) => {
    const { imageKey: key } = correction;
    const label = correction.label.normalize();
    const fault = labelFault(label);
    const content =
      fault === undefined
        ? await cached(deps, correction, cacheDir, looking)
        : `its label ${quoteKey(label)} cannot be a class: ${fault}`;
    onProgress?.(++done);
    if (typeof content === 'string') {
      skipped.push({ key, reason: content });
      return;
    }
    const other = found.get(content.sha256);
    if (other !== undefined && other.label !== label) {
      contested.add(content.sha256);
      skipped.push({ key, reason: `it is ${label} here and ${other.label} as ${other.key}` });
    } else {
      found.set(content.sha256, { path: content.path, label, key });
    }
  });
  signal.throwIfAborted();
  for (const sha256 of contested) found.delete(sha256);
  if (found.size === 0) {
    throw new VisionscaleError(`the pipeline ${pipeline} has no corrected images to train with`, {
      code: 'no_corrections',
      hint: 'visionscale results export --below 60 <dir>, sort the images, then visionscale correct --from <dir>',
    });
  }
  const labels = inByteOrder(new Set([...found.values()].map(({ label }) => label)));
  const examples = [...found]
    .map(([sha256, { path, label }]) => ({ path, label: labels.indexOf(label), sha256 }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  const unreadable = skipped.map(({ key, reason }) => ({ path: key, reason }));
  return { labels, examples, unreadable, leftOut: [], skipped };
}

async function* corrections(
  pool: Pool,
  pipeline: string,
  signal: AbortSignal,
): AsyncGenerator<StoredCorrection> {
  for (let after = ''; ;) {
    const page = await correctionPage(pool, pipeline, after, pageSize);
    for (const correction of page) {
      if (signal.aborted) return;
      yield correction;
    }
    if (page.length < pageSize) return;
    after = page.at(-1)!.imageKey;
  }
}

/** The file of the content that was corrected, or why there is none. */
async function cached(
  { store, limits, signal }: CorrectionDeps,
  { imageKey, sha256, currentSha256 }: StoredCorrection,
  cacheDir: string,
  looking: ImagesApart,
): Promise<{ path: string; sha256: string } | string> {
  if (sha256 !== null && currentSha256 !== null && sha256 !== currentSha256) return replaced;
  const pathOf = (digest: string) => join(cacheDir, digest.slice(0, 2), digest);
  if (sha256 !== null && (await isFile(pathOf(sha256)))) return { path: pathOf(sha256), sha256 };
  try {
    const get = () => store.get(imageKey, { maxBytes: limits.maxBytes, signal });
    const body = await retry(get, { signal, attempts });
    const digest = createHash('sha256').update(body).digest('hex');
    if (sha256 !== null && digest !== sha256) return replaced;
    await looking.check(body);
    await makeDirectory(join(cacheDir, digest.slice(0, 2)));
    await replaceFile(pathOf(digest), body);
    return { path: pathOf(digest), sha256: digest };
  } catch (error) {
    const own = error instanceof ImageError || (error instanceof ObjectError && error.ofObject);
    if (own && !isRetryable(error)) return error.message;
    throw error;
  }
}

const replaced = 'the image was replaced after it was corrected';

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true;
}
