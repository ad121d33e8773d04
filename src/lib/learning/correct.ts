/** The verb `correct` for a sorted export: a person says what images really are by the folders they lie in. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Pool } from 'pg';
import { errorMessage, VisionscaleError } from '../base/errors.ts';
import { folderLabel } from '../base/files/class-folders.ts';
import { readImageFile } from '../base/files/read-file.ts';
import { pathFilter, walk } from '../base/files/walk.ts';
import { asKnown, type CorrectOptions, knownLabels, refuseUnknown } from '../pipeline/correct.ts';
import { saveCorrections, type Correction } from '../systems/database/tables/corrections.ts';
import { readIndex, type ExportLine } from './datasets/index-file.ts';

export interface SortedOptions extends CorrectOptions {
  /** Images that are still in the folder of their prediction are not recorded. */
  movedOnly: boolean;
  /** Largest file, in bytes. */
  maxBytes: number;
  signal: AbortSignal;
}

export interface SortedResult {
  /** Recorded: what the person confirmed or corrected. */
  corrected: number;
  /** Of these, in another folder than their prediction's. */
  moved: number;
  /** New or changed in the database. */
  changed: number;
  /** Still where unknown objects wait for a label: not recorded. */
  unsorted: number;
  /** Of the export, and no longer there. */
  removed: number;
  /** Files that are no image of the export, or lie in two classes. */
  rejected: { path: string; reason: string }[];
}

/** Rows a statement. */
const pageSize = 1000;

/**
 * Every image that is still in a folder gets that folder's label, those that were not moved too. Files are known by their
 * name, and by their content where they were renamed. Nothing is recorded where a label is unknown. Throws as
 * `correctImages`, and `export_invalid`, `another_pipeline`.
 */
export async function correctFromDirectory(
  pool: Pool,
  dir: string,
  options: SortedOptions,
): Promise<SortedResult> {
  const { head, lines } = await readIndex(dir);
  if (head.pipeline !== options.pipeline) {
    throw new VisionscaleError(`${dir} was exported from the pipeline ${head.pipeline}`, {
      code: 'another_pipeline',
      hint: `Add --pipeline ${head.pipeline}`,
    });
  }
  const labels = await knownLabels(pool, options);
  const own = new Map(Object.entries(head.folders).map(([label, folder]) => [folder.normalize(), label]));
  const labelOf = (folder: string) =>
    own.get(folder.normalize()) ?? asKnown(folderLabel(folder, labels), labels);
  const unsorted = head.unsorted?.normalize();
  const { found, left, rejected } = await sortedFiles(dir, lines, { labelOf, unsorted }, options);
  await refuseUnknown(pool, [...new Set([...found.values()].map(({ label }) => label))], options);
  const chosen = [...found.values()].filter(({ moved }) => moved || !options.movedOnly);
  let changed = 0;
  for (let at = 0; at < chosen.length && !options.signal.aborted; at += pageSize) {
    const page = chosen.slice(at, at + pageSize);
    changed += (await saveCorrections(pool, options.pipeline, options.by, page)).length;
  }
  return {
    corrected: chosen.length,
    moved: chosen.filter(({ moved }) => moved).length,
    changed,
    unsorted: left.size,
    removed: lines.filter(({ key }) => !found.has(key) && !left.has(key)).length,
    rejected,
  };
}

interface SortedFile extends Correction {
  path: string;
  moved: boolean;
}

/** What the folders of an export stand for. */
interface Folders {
  labelOf: (folder: string) => string;
  /** The folder that stands for no class. */
  unsorted: string | undefined;
}

/** By their keys: what has a label, and what waits for one. */
interface SortedFiles extends Pick<SortedResult, 'rejected'> {
  found: Map<string, SortedFile>;
  left: Set<string>;
}

async function sortedFiles(
  dir: string,
  lines: readonly ExportLine[],
  { labelOf, unsorted }: Folders,
  { maxBytes, signal }: SortedOptions,
): Promise<SortedFiles> {
  const byName = new Map(lines.map((line) => [basename(line.file).normalize(), line]));
  const byContent = new Map(lines.map((line) => [line.sha256, line]));
  const found = new Map<string, SortedFile>();
  const rejected: SortedResult['rejected'] = [];
  const left = new Set<string>();
  const twice = new Set<string>();
  for await (const one of walk(dir, pathFilter(), signal)) {
    if ('passedOver' in one) continue; // exports have the names of images
    if ('rejected' in one) {
      rejected.push(one.rejected);
      continue;
    }
    const { path, file, relative } = one.file;
    if (!relative.includes('/')) continue; // the index, and what a person keeps beside the folders
    let line = byName.get(basename(relative).normalize());
    try {
      line ??= byContent.get(sha256(await readImageFile(file, maxBytes)));
    } catch (error) {
      rejected.push({ path, reason: errorMessage(error) });
      continue;
    }
    if (line === undefined) {
      rejected.push({ path, reason: 'it is not from this export, by name or content' });
      continue;
    }
    const folder = relative.slice(0, relative.indexOf('/'));
    if (folder.normalize() === unsorted) {
      left.add(line.key);
      continue;
    }
    const label = labelOf(folder);
    const other = found.get(line.key);
    if (other !== undefined && other.label !== label) {
      twice.add(line.key);
      rejected.push({ path, reason: `it is in two classes, also as ${other.path}` });
      continue;
    }
    const { key: imageKey, sha256: content, category } = line;
    found.set(imageKey, { imageKey, label, sha256: content, path, moved: label !== category });
  }
  signal.throwIfAborted();
  for (const key of twice) found.delete(key);
  for (const key of found.keys()) left.delete(key);
  return { found, left, rejected };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
