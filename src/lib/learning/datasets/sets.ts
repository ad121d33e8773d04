/** Reads the images to learn from and, where they are in a directory of their own, those to judge by. */
import { inByteOrder } from '../../base/files/class-folders.ts';
import { type PassedOver, passedOverTogether } from '../../base/files/image-names.ts';
import type { Rejection } from '../../base/files/walk.ts';
import type { ImageLimits } from '../../models/images/limits.ts';
import {
  countsOf,
  invalidDataset,
  quotedList,
  readClassFolders,
  type Dataset,
  type Example,
} from './dataset.ts';

export interface FoundSets {
  labels: string[];
  train: Example[];
  /** Undefined where some of `train` are still to be held back. */
  held?: Example[];
  unreadable: Rejection[];
  /** Files that are no images by name. */
  passedOver: PassedOver;
  /** Folders that were not chosen. */
  leftOut: string[];
}

export interface SetOptions {
  /** May be absent where there are corrections. */
  dir?: string | undefined;
  /** Images to learn from besides. */
  corrected?: Dataset | undefined;
  classes?: readonly string[] | undefined;
  /** Directory of the hold-out. */
  val?: string | undefined;
  /** Symbolic links that lead out of the directories are followed. */
  followLinks?: boolean | undefined;
  /** A file that cannot be used is an error. */
  strict?: boolean | undefined;
  limits: ImageLimits;
  signal: AbortSignal;
  /** Told how many files were looked at. */
  onProgress: (files: number) => void;
}

/** Throws as `readClassFolders` and `withCorrections` do. */
export async function readSets(options: SetOptions): Promise<FoundSets> {
  const { dir, val, onProgress, corrected, ...rest } = options;
  const elsewhere = corrected?.labels;
  const folders =
    dir === undefined ? undefined : await readClassFolders(dir, { ...rest, elsewhere, onProgress });
  const whole = corrected ? withCorrections(folders, corrected, rest.classes) : folders!;
  const { labels, leftOut } = whole;
  if (val === undefined) {
    const { unreadable, examples } = whole;
    const passedOver = passedOverTogether([whole.passedOver]);
    return { labels, leftOut, unreadable, passedOver, train: examples };
  }
  const looked = whole.examples.length + whole.unreadable.length;
  const partial = { ignore: leftOut };
  const held = await readClassFolders(val, {
    ...rest,
    classes: labels,
    partial,
    onProgress: (files) => onProgress(looked + files),
  });
  const unjudged = withoutExamples(labels, held.examples);
  if (labels.length - unjudged.length < 2) {
    throw invalidDataset(
      `${val} has images of one class only; it lacks ${quotedList(unjudged)}`,
      'A hold-out needs images of at least two classes.',
    );
  }
  const unreadable = [...whole.unreadable, ...held.unreadable];
  const passedOver = passedOverTogether([whole.passedOver, held.passedOver]);
  return { labels, leftOut, unreadable, passedOver, train: whole.examples, held: held.examples };
}

export function withoutExamples(labels: readonly string[], examples: readonly Example[]): string[] {
  const counts = countsOf(examples, labels.length);
  return labels.filter((_, i) => counts[i] === 0);
}

/**
 * An image that is in both has the corrected label. Where there are no folders, `classes` chooses among the corrected
 * labels. Throws a VisionscaleError `dataset_invalid` naming chosen classes without images.
 */
export function withCorrections(
  folders: Dataset | undefined,
  corrected: Dataset,
  classes?: readonly string[],
): Dataset {
  const labels =
    folders?.labels ?? classes?.map((label) => label.normalize()) ?? inByteOrder(corrected.labels);
  const index = new Map(labels.map((label, i) => [label, i]));
  const examples = corrected.examples.flatMap((example) => {
    const label = index.get(corrected.labels[example.label]!);
    return label === undefined ? [] : [{ ...example, label }];
  });
  const known = new Set(examples.map(({ sha256 }) => sha256));
  const others = (folders?.examples ?? []).filter(({ sha256 }) => !known.has(sha256));
  const all = [...others, ...examples];
  const found = new Set(all.map(({ label }) => label));
  const empty = labels.filter((_, label) => !found.has(label));
  if (empty.length > 0) {
    throw invalidDataset(
      `there is no corrected image of the class${empty.length > 1 ? 'es' : ''} ${quotedList(empty)}`,
      `The corrected labels are: ${quotedList(corrected.labels)}. Add a directory of images, or leave the class out.`,
    );
  }
  if (labels.length < 2) {
    throw invalidDataset(
      `the corrections name one class only, ${quotedList(labels)}; a classifier needs at least two`,
      'Add a directory of labelled images: visionscale train <dir> --from-corrections',
    );
  }
  const strange = corrected.labels.filter((label) => !index.has(label));
  return {
    labels,
    examples: all,
    unreadable: [...(folders?.unreadable ?? []), ...corrected.unreadable],
    passedOver: passedOverTogether([folders?.passedOver]),
    leftOut: [...new Set([...(folders?.leftOut ?? []), ...strange])],
  };
}
