/** The verb `results export`: images the model was unsure of, or did not know, into folders, ready to be sorted by a person. */
import { createHash } from 'node:crypto';
import { open, readdir, writeFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { ImageError, isRetryable, ObjectError, UsageError, VisionscaleError } from '../base/errors.ts';
import { folderName } from '../base/files/class-folders.ts';
import { explainedDiskError } from '../base/files/disk.ts';
import { makeDirectory, makeWritableDirectory } from '../base/files/make-directory.ts';
import { forEachConcurrently } from '../base/flow/for-each.ts';
import { retry } from '../base/flow/retry.ts';
import type { ImageLimits } from '../models/images/limits.ts';
import { sniffImage } from '../models/images/sniff.ts';
import {
  unsurePredictions,
  type UnsureFilter,
  type UnsureRow,
} from '../systems/database/tables/predictions.ts';
import type { ObjectStore } from '../systems/objects/store.ts';
import { exportFile, indexHead, indexLine, indexName } from './datasets/index-file.ts';

export interface ExportDeps {
  pool: Pool;
  store: ObjectStore;
  limits: ImageLimits;
  signal: AbortSignal;
  report: (event: ExportEvent) => void;
}

export type ExportEvent =
  | { kind: 'selected'; images: number }
  | { kind: 'exported'; bytes: number }
  | { kind: 'skipped'; key: string; reason: string };

export interface ExportResult {
  exported: number;
  dir: string;
  /** Images by the folder they were put into. */
  folders: Record<string, number>;
  skipped: { key: string; reason: string }[];
}

/** Where unknown objects wait for a label: their likeliest class says nothing of them. */
export const unsortedFolder = 'to-label';

/** Images fetched at once. */
const concurrency = 8;
/** At an image while the store is away: the waits are five to nine seconds. */
const attempts = 9;

/**
 * Into `dir`, which must be empty or not there yet. An image that is gone or no longer one is skipped. Throws a UsageError
 * where `dir` has something in it, ObjectError and DatabaseError; when aborted, what is there is whole and can be used.
 */
export async function exportUnsure(
  deps: ExportDeps,
  filter: UnsureFilter,
  dir: string,
): Promise<ExportResult> {
  const { pool, signal, report } = deps;
  await requireEmpty(dir);
  const made = await makeWritableDirectory(dir);
  const rows = await unsurePredictions(pool, filter);
  report({ kind: 'selected', images: rows.length });
  const result: ExportResult = { exported: 0, dir, folders: {}, skipped: [] };
  if (rows.length === 0) {
    for (const directory of made.toReversed()) await rmdir(directory).catch(() => undefined);
    return result;
  }
  try {
    const unsorted = filter.unknown === true ? unsortedFolder : undefined;
    const folders = unsorted === undefined ? foldersOf(rows) : new Map<string, string>();
    for (const folder of unsorted === undefined ? folders.values() : [unsorted])
      await makeDirectory(join(dir, folder));
    await using index = await open(join(dir, indexName), 'wx');
    await index.appendFile(indexHead({ pipeline: filter.pipeline, created: new Date(), folders, unsorted }));
    let lines = Promise.resolve();
    await forEachConcurrently(until(rows, signal), concurrency, async (row) => {
      const folder = unsorted ?? folders.get(row.category)!;
      try {
        const body = await fetchImage(deps, row.imageKey);
        const { format } = await sniffImage(body);
        const file = `${folder}/${exportFile(row.imageKey, format)}`;
        await writeFile(join(dir, file), body, { flag: 'wx' });
        const sha256 = createHash('sha256').update(body).digest('hex');
        // After its image, so that a line always has its file; one after the other, so that lines do not mix.
        lines = lines.then(() => index.appendFile(indexLine({ file, sha256, ...row })));
        await lines;
        result.exported++;
        result.folders[folder] = (result.folders[folder] ?? 0) + 1;
        report({ kind: 'exported', bytes: body.length });
      } catch (error) {
        if (signal.aborted) return;
        const reason = ownFault(error);
        if (reason === undefined) throw error;
        result.skipped.push({ key: row.imageKey, reason });
        report({ kind: 'skipped', key: row.imageKey, reason });
      }
    });
    await index.sync();
  } catch (error) {
    throw directoryError(error, dir);
  }
  return result;
}

async function fetchImage({ store, limits, signal }: ExportDeps, key: string): Promise<Buffer> {
  return retry(() => store.get(key, { maxBytes: limits.maxBytes, signal }), { signal, attempts });
}

/** Why this image alone cannot be exported; undefined where it is not the image's fault. */
function ownFault(error: unknown): string | undefined {
  if (error instanceof ImageError) return error.message;
  const own = error instanceof ObjectError && ['not_found', 'too_large', 'bad_key'].includes(error.code);
  return own && !isRetryable(error) ? error.message : undefined;
}

/** One a category; two categories never share one, also where the disk takes no notice of capitals. */
function foldersOf(rows: readonly UnsureRow[]): Map<string, string> {
  const folders = new Map<string, string>();
  const taken = new Set<string>();
  for (const category of [...new Set(rows.map((row) => row.category))].sort()) {
    const name = folderName(category);
    let folder = name;
    for (let n = 2; taken.has(folder.normalize().toLowerCase()); n++) folder = `${name}~${n}`;
    taken.add(folder.normalize().toLowerCase());
    folders.set(category, folder);
  }
  return folders;
}

async function requireEmpty(dir: string): Promise<void> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw new UsageError(`${dir} cannot be used: ${error.message}`);
  });
  if (names.length === 0) return;
  throw new UsageError(
    names.includes(indexName) ? `${dir} holds an earlier export` : `${dir} is not empty`,
    names.includes(indexName)
      ? `Sort it and read it back first (visionscale correct --from ${dir}), or name another directory.`
      : 'Use a new directory: its folders become classes.',
  );
}

function directoryError(error: unknown, dir: string): unknown {
  if (error instanceof VisionscaleError) return error;
  const explained = explainedDiskError(error, dir);
  if (!(explained instanceof VisionscaleError)) return error;
  const full = explained.code === 'disk_full';
  return new VisionscaleError(full ? explained.message : `${dir} cannot be written`, {
    code: full ? 'disk_full' : 'export_unwritable',
    hint: full
      ? 'Free some space, or export to another disk.'
      : 'Choose a directory that this user may write to.',
    cause: error,
  });
}

function* until<T>(items: readonly T[], signal: AbortSignal): Generator<T> {
  for (const item of items) {
    if (signal.aborted) return;
    yield item;
  }
}
