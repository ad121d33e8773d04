/** The images to learn from and those to judge by, with what is to be said about them. */
import type { Rejection } from '../../base/files/walk.ts';
import type { ImageLimits } from '../../models/images/limits.ts';
import { countsOf, invalid, list, readClassFolders, type Dataset, type Example } from './dataset.ts';
import { splitStratified } from './split.ts';
import { withCorrections } from './with-corrections.ts';

export interface Sets {
  labels: string[];
  train: Example[];
  held: Example[];
  unreadable: Rejection[];
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
    throw invalid(
      `${val} has images of one class only; it lacks ${list(unjudged)}`,
      'A hold-out judges nothing without images of the other classes.',
    );
  }
  const unreadable = [...whole.unreadable, ...held.unreadable];
  return { labels, leftOut, unreadable, unjudged, train: whole.examples, held: held.examples };
}
