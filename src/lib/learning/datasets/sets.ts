/** The images to learn from and those to judge by, with what is to be said about them. */
import { createHash } from 'node:crypto';
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

export interface Sets {
  labels: string[];
  train: Example[];
  held: Example[];
  unreadable: Rejection[];
  /** Files that are no images by name. */
  passedOver: PassedOver;
  /** Folders that were not chosen. */
  leftOut: string[];
  /** Classes that the given hold-out has no folder of: nobody judges them. */
  unjudged: string[];
}

export interface SetOptions {
  /** May be absent where there are corrections. */
  dir?: string | undefined;
  /** Images to learn from besides. */
  corrected?: Dataset | undefined;
  classes?: readonly string[] | undefined;
  /** Directory of the hold-out; without it a share is held back. */
  val?: string | undefined;
  /** Share of 1. */
  valSplit: number;
  seed: number;
  /** Symbolic links that lead out of the directories are followed. */
  followLinks?: boolean | undefined;
  /** A file that cannot be used is an error. */
  strict?: boolean | undefined;
  limits: ImageLimits;
  signal: AbortSignal;
  /** Told how many files were looked at. */
  onProgress: (files: number) => void;
}

/** Throws as `readClassFolders`, `withCorrections` and `splitStratified` do. */
export async function readSets(options: SetOptions): Promise<Sets> {
  const { dir, val, valSplit, seed, onProgress, corrected, ...rest } = options;
  const elsewhere = corrected?.labels;
  const folders =
    dir === undefined ? undefined : await readClassFolders(dir, { ...rest, elsewhere, onProgress });
  const whole = corrected ? withCorrections(folders, corrected, rest.classes) : folders!;
  const { labels, leftOut } = whole;
  if (val === undefined) {
    const { unreadable, examples } = whole;
    return {
      labels,
      leftOut,
      unreadable,
      passedOver: passedOverTogether([whole.passedOver]),
      unjudged: [],
      ...splitStratified(examples, valSplit, seed, labels),
    };
  }
  const looked = whole.examples.length + whole.unreadable.length;
  const partial = { ignore: leftOut };
  const held = await readClassFolders(val, {
    ...rest,
    classes: labels,
    partial,
    onProgress: (files) => onProgress(looked + files),
  });
  const counts = countsOf(held.examples, labels.length);
  const unjudged = labels.filter((_, i) => counts[i] === 0);
  if (labels.length - unjudged.length < 2) {
    throw invalidDataset(
      `${val} has images of one class only; it lacks ${quotedList(unjudged)}`,
      'A hold-out judges nothing without images of the other classes.',
    );
  }
  const unreadable = [...whole.unreadable, ...held.unreadable];
  const passedOver = passedOverTogether([whole.passedOver, held.passedOver]);
  return { labels, leftOut, unreadable, passedOver, unjudged, train: whole.examples, held: held.examples };
}

/** Divides examples into those that train and those that judge: the same share of every class, the same at every run. */
interface Split {
  train: Example[];
  held: Example[];
}

/**
 * Holds back `share` (0 to 1) of each class, at least one and never all of it. Who is held back depends on its content and
 * the seed alone, so that images that join later hardly change it, and copies of one image stay together. Throws a
 * VisionscaleError `dataset_invalid` naming (by `labels`) the classes with fewer than two different images.
 */
export function splitStratified(
  examples: readonly Example[],
  share: number,
  seed: number,
  labels: readonly string[] = [],
): Split {
  const classes = new Map<number, Map<string, Example[]>>();
  for (const example of examples) {
    const contents = classes.get(example.label) ?? new Map<string, Example[]>();
    classes.set(example.label, contents);
    contents.set(example.sha256, [...(contents.get(example.sha256) ?? []), example]);
  }
  const single = [...classes].filter(([, contents]) => contents.size < 2);
  if (single.length > 0) {
    const names = single.map(([label]) => labels[label] ?? String(label));
    throw invalidDataset(
      `too few different images to hold one back: ${quotedList(names)}`,
      'Each class needs two different images at the least (20 and more to be of use), or give --val <dir>.',
    );
  }
  const held = new Set<string>();
  for (const [label, contents] of classes) {
    const places = new Map([...contents.keys()].map((sha256) => [place(sha256, seed), sha256]));
    const order = [...places.keys()].sort();
    const count = Math.min(Math.max(1, Math.round(share * order.length)), order.length - 1);
    for (const at of order.slice(0, count)) held.add(key({ label, sha256: places.get(at)! }));
  }
  return {
    train: examples.filter((example) => !held.has(key(example))),
    held: examples.filter((example) => held.has(key(example))),
  };
}

/** One content under two labels counts twice: it is a mistake for the report to name, and must empty no class. */
function key({ label, sha256 }: Pick<Example, 'label' | 'sha256'>): string {
  return `${label} ${sha256}`;
}

/** Where an image stands in the seed's order. */
function place(sha256: string, seed: number): string {
  return createHash('sha256').update(`${seed} ${sha256}`).digest('hex');
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
      `The corrected labels are: ${quotedList(corrected.labels)}. Name a directory of images too, or leave the class out.`,
    );
  }
  if (labels.length < 2) {
    throw invalidDataset(
      `the corrections name one class only, ${quotedList(labels)}; a classifier needs two at the least`,
      'Name a directory of labelled images too: visionscale train <dir> --from-corrections',
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
