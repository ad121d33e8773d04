/** Reads a training set from disk: one folder a class, every image checked by its content. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { ImageError, UsageError, VisionscaleError } from '../../base/errors.ts';
import { classFolders, className, inByteOrder, labelFault } from '../../base/files/class-folders.ts';
import { type PassedOver, PassedOverCount } from '../../base/files/image-names.ts';
import { readImageFile } from '../../base/files/read-file.ts';
import { checkPaths, type Found, type PathFilter, type Rejection, walk } from '../../base/files/walk.ts';
import { orderedGroups } from '../../base/flow/ordered-groups.ts';
import { usableCores } from '../../base/sandbox/parallelism.ts';
import { openImagesApart } from '../../models/images/apart.ts';
import { defaultLimits, type ImageLimits } from '../../models/images/limits.ts';

export interface Example {
  /** As people see it: the given directory and what lies below. */
  path: string;
  /** Index of its class in the labels. */
  label: number;
  /** Of the file's content: 64 hex digits. */
  sha256: string;
  /** Its path below the folder of its class; undefined where there is no such folder. */
  below?: string;
  /** When the camera says that it was taken, and when the file was last written: milliseconds, to compare. */
  taken?: number | undefined;
  modified?: number | undefined;
}

export interface Dataset {
  /** One a class, in Unicode's form NFC; `Example.label` counts from 0 in them. */
  labels: string[];
  /** In byte order of their paths. */
  examples: Example[];
  /** Files that are left out because they cannot be read as images. */
  unreadable: Rejection[];
  /** Files that are no images by name. */
  passedOver?: PassedOver;
  /** Folders that were not chosen. */
  leftOut: string[];
}

export interface DatasetOptions {
  /** The classes, in this order; by default those of all folders, in byte order. */
  classes?: readonly string[] | undefined;
  /** The class of each folder where somebody knows better; folders beside these stand for none. */
  named?: ReadonlyMap<string, string>;
  /** For a hold-out: classes may lack a folder, and a folder that is no class is an error unless it is one of `ignore`. */
  partial?: { ignore: readonly string[] };
  /** Classes that have images in another place: they need no folder here. */
  elsewhere?: readonly string[] | undefined;
  /** Symbolic links that lead out of the directory are followed. */
  followLinks?: boolean | undefined;
  /** What is no image by name is at fault too, and any such file or unreadable image is an error. */
  strict?: boolean | undefined;
  limits?: ImageLimits;
  signal: AbortSignal;
  /** Told how many files were looked at. */
  onProgress?: (files: number) => void;
}

/**
 * Files beside the class folders are no part of it; what lies deeper belongs to its class. Memory: a path and a digest an
 * image. Throws a UsageError without `dir`, a VisionscaleError `dataset_invalid` naming the classes that are at fault.
 */
export async function readClassFolders(dir: string, given: DatasetOptions): Promise<Dataset> {
  const classes = given.named ? given.classes : given.classes?.map((label) => label.normalize());
  const options = { ...given, classes };
  const { signal, onProgress, limits = defaultLimits, followLinks = false, strict = false } = options;
  await checkPaths([dir]);
  const folders = await namedFolders(dir, options);
  const { labels, leftOut } = chosenClasses(dir, folders, options);
  const index = new Map([...folders].map(([folder, label]) => [folder, labels.indexOf(label)]));
  const examples: Example[] = [];
  const unreadable: Rejection[] = [];
  await using looking = openImagesApart(limits);
  const passedOver = new PassedOverCount();
  const look = async (found: Found): Promise<Example | Rejection | string> => {
    if ('passedOver' in found) return found.passedOver;
    if ('rejected' in found) return found.rejected;
    const { file, path, relative } = found.file;
    try {
      const bytes = await readImageFile(file, limits.maxBytes);
      await looking.check(bytes);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const slash = relative.indexOf('/');
      const label = index.get(relative.slice(0, slash))!;
      const modified = (await stat(file).catch(() => undefined))?.mtimeMs;
      return { path, label, sha256, below: relative.slice(slash + 1), taken: takenAt(bytes), modified };
    } catch (error) {
      if (error instanceof ImageError) return { path, reason: error.message };
      throw error;
    }
  };
  const filter = onlyFolders((folder) => (index.get(folder) ?? -1) >= 0);
  const inFlight = 2 * usableCores() + 2;
  const source = (stopped: AbortSignal) => walk(dir, filter, stopped, { followLinks, strict });
  let files = 0;
  for await (const group of orderedGroups(source, look, { inFlight, signal })) {
    for (const one of group) {
      if (typeof one === 'string') passedOver.add(one);
      else if ('sha256' in one) examples.push(one);
      else unreadable.push(one);
    }
    onProgress?.((files += group.length));
  }
  signal.throwIfAborted();
  const set = { labels, examples, unreadable, leftOut, passedOver: passedOver.result };
  refuseEmpty(dir, labels, [...folders.values()], set);
  if (strict && unreadable.length > 0) throw notStrict(dir, unreadable);
  return set;
}

/** EXIF stands near the beginning of a file; of its times, which are text, any tells how far apart two pictures are. */
const exifBytes = 64 * 1024;

function takenAt(bytes: Uint8Array): number | undefined {
  const start = Buffer.from(bytes.subarray(0, exifBytes)).toString('latin1');
  const found = /(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)\0/.exec(start);
  if (found === null) return undefined;
  const [, year, month, day, time] = found;
  const at = Date.parse(`${year}-${month}-${day}T${time}Z`);
  return Number.isNaN(at) ? undefined : at;
}

function onlyFolders(chosen: (folder: string) => boolean): PathFilter {
  return {
    wants: (relative) => relative.includes('/'),
    enters: (relative) => relative.includes('/') || chosen(relative),
  };
}

/** Each folder with its class. Of those that are chosen, none may stand for what no model can keep, or for another's. */
async function namedFolders(
  dir: string,
  { named, classes, partial }: DatasetOptions,
): Promise<Map<string, string>> {
  const found = await classFolders(dir);
  if (named) return new Map(found.map((folder) => [folder, named.get(folder) ?? folder]));
  const folders = new Map(found.map((folder) => [folder, className(folder)]));
  const faults: string[] = [];
  const former = new Map<string, string>();
  for (const [folder, label] of folders) {
    if (classes !== undefined && !classes.includes(label)) continue;
    const fault = labelFault(label);
    const other = former.get(label);
    former.set(label, folder);
    if (fault !== undefined) faults.push(`${quoted(folder)}: ${fault}`);
    else if (other !== undefined)
      faults.push(`${quoted(other)} and ${quoted(folder)}: they are the same name, ${quoted(label)}`);
  }
  if (faults.length === 0) return folders;
  const more = faults.length > 10 ? [`and ${faults.length - 10} more`] : [];
  throw invalidDataset(
    `${dir} has folders whose names cannot be classes:\n  ${[...faults.slice(0, 10), ...more].join('\n  ')}`,
    partial ? 'Rename the folders.' : 'Rename the folders, or leave them out with --classes (CLASS_NAMES).',
  );
}

function chosenClasses(
  dir: string,
  named: ReadonlyMap<string, string>,
  { classes, partial, elsewhere = [] }: DatasetOptions,
): { labels: string[]; leftOut: string[] } {
  const folders = [...named.values()];
  const labels = [...(classes ?? inByteOrder(new Set([...folders, ...elsewhere])))];
  const twice = labels.find((label, i) => labels.indexOf(label) !== i);
  if (twice !== undefined) throw new UsageError(`the class ${quoted(twice)} is named twice`);
  if (labels.length < 2) {
    const found = labels.length === 0 ? 'no class folders' : `one class only, ${quoted(labels[0]!)}`;
    throw invalidDataset(`${dir} has ${found}; a classifier needs at least two`, oneFolderEach);
  }
  const leftOut = folders.filter((folder) => !labels.includes(folder));
  if (partial) {
    const strange = leftOut.filter((folder) => !partial.ignore.includes(folder));
    if (strange.length > 0) {
      throw invalidDataset(
        `${dir} has folders that are not among the classes: ${quotedList(strange)}`,
        'Name its folders exactly like the classes of the training set, or remove them.',
      );
    }
    return { labels, leftOut };
  }
  const missing = labels.filter((label) => !folders.includes(label) && !elsewhere.includes(label));
  if (missing.length > 0) {
    throw invalidDataset(
      `${dir} has no folder for the class${missing.length > 1 ? 'es' : ''} ${quotedList(missing)}`,
      `Its folders are: ${quotedList(folders)}. --classes (CLASS_NAMES) names folders, separated by commas.`,
    );
  }
  return { labels, leftOut };
}

/** A folder without any image is a mistake; in a hold-out, a class without a folder is not judged, which is said elsewhere. */
function refuseEmpty(
  dir: string,
  labels: readonly string[],
  folders: readonly string[],
  found: Dataset,
): void {
  const counts = countsOf(found.examples, labels.length);
  const empty = labels.filter((label, i) => counts[i] === 0 && folders.includes(label));
  if (empty.length === 0) {
    if (found.examples.length > 0) return;
    throw invalidDataset(
      `${dir} has no folder of any of the classes`,
      'Name its folders like those of the training set.',
    );
  }
  // Of links that were passed over, which may be all there is, is told last.
  const { unreadable } = found;
  const told = unreadable.length > 5 ? [...unreadable.slice(0, 4), unreadable.at(-1)!] : unreadable;
  const some = told.map(({ path, reason }) => `${path}: ${reason}`);
  throw invalidDataset(
    `${dir} has no readable image of the class${empty.length > 1 ? 'es' : ''} ${quotedList(empty)}`,
    ['Add images to it, remove the folder, or leave the class out with --classes.', ...some].join('\n'),
  );
}

function notStrict(dir: string, rejected: readonly Rejection[]): VisionscaleError {
  const lines = rejected.slice(0, 20).map(({ path, reason }) => `${path}: ${reason}`);
  if (rejected.length > 20) lines.push(`and ${rejected.length - 20} more`);
  const what = rejected.length === 1 ? 'a file' : `${rejected.length} files`;
  return invalidDataset(
    `${dir} has ${what} that cannot be used, and --strict allows none:\n  ${lines.join('\n  ')}`,
    'Remove or repair them, or leave out --strict.',
  );
}

/** Examples of each class. */
export function countsOf(examples: readonly Example[], classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const { label } of examples) counts[label]!++;
  return counts;
}

const oneFolderEach = 'Put the images of each class into a folder named after the class.';

/** Names in a sentence: ten at most. */
export function quotedList(names: readonly string[]): string {
  const shown = names.slice(0, 10).map(quoted).join(', ');
  return names.length > 10 ? `${shown} and ${names.length - 10} more` : shown;
}

/** What a terminal would obey, or show as nothing, escaped. */
function quoted(name: string): string {
  return JSON.stringify(name).replaceAll(
    /(?! )[\p{C}\p{Z}]/gu,
    (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`,
  );
}

export function invalidDataset(message: string, hint: string): VisionscaleError {
  return new VisionscaleError(message, { code: 'dataset_invalid', hint });
}

/** `sha256:` and 64 hex digits. */
export function dataDigest(labels: readonly string[], examples: readonly Example[]): string {
  const lines = examples.map(({ sha256, label }) => `${sha256} ${labels[label]}\n`).sort();
  const hash = createHash('sha256');
  for (const line of lines) hash.update(line);
  return `sha256:${hash.digest('hex')}`;
}
