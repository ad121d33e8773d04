/** The verb `model compare`: which of several models to take, by the same labelled pictures. */
import { VisionscaleError } from '../../base/errors.ts';
import type { PassedOver } from '../../base/files/image-names.ts';
import type { Rejection } from '../../base/files/walk.ts';
import type { Classifier } from '../../models/classifier/classifier.ts';
import type { LoadedModel } from '../../models/format/model.ts';
import type { ImageLimits } from '../../models/images/limits.ts';
import { dataDigest, type Example, quotedList } from '../datasets/dataset.ts';
import { groupsOf } from '../groups/groups.ts';
import { type GroupOf, refuseUnfit } from '../groups/names.ts';
import { seriesOf } from '../groups/series.ts';
import { answerInTurn, compare, type Compared, distinctNames } from './comparison.ts';
import { fingerprints } from './duplicates.ts';
import {
  type JudgeEvent,
  labelledFolders,
  type LabelledSet,
  matchFolders,
  readLabelled,
  unlessInterrupted,
} from './evaluate.ts';
import { readLabelledFile } from './judge.ts';

export interface CompareOptions {
  /** One folder a class. */
  dir: string;
  /** Two at least. */
  models: readonly LoadedModel[];
  /** With one worker; all are open at the same time. */
  open: (model: LoadedModel) => Promise<Classifier>;
  /** Which pictures belong together by their names; see `seriesOf` for what is found without it. */
  groupBy?: GroupOf | undefined;
  /** Most images, taken evenly from all. */
  limit?: number | undefined;
  /** Symbolic links that lead out of the directory are followed. */
  followLinks?: boolean | undefined;
  /** A file that cannot be used is an error. */
  strict?: boolean | undefined;
  limits: ImageLimits;
  signal: AbortSignal;
  report: (event: JudgeEvent) => void;
}

export interface Comparison extends Compared {
  classes: string[];
  /** Class folders that some model does not know. */
  leftOut: string[];
  /** Of the images with their labels. */
  dataDigest: string;
  unreadable: Rejection[];
  passedOver: PassedOver;
}

/**
 * Throws a VisionscaleError `unknown_classes` where a model knows none of the classes or no class is known to all,
 * `dataset_invalid` or `interrupted`; a UsageError without `dir`, for equal models, or where `groupBy` fits no image.
 */
export function compareModels(options: CompareOptions): Promise<Comparison> {
  return unlessInterrupted(options.signal, () => compareAll(options));
}

async function compareAll(options: CompareOptions): Promise<Comparison> {
  const { models, limits, report } = options;
  const names = distinctNames(models.map(({ info }) => info));
  const { set, leftOut } = await sharedSet(options, names);
  const { examples, groups } = await grouped(options, set.examples);
  const groupOf = new Map(examples.map((example, i) => [example, groups[i]!]));
  const read = (example: Example) => readLabelledFile(example, limits.maxBytes);
  const answered = await answerInTurn({ ...options, read }, examples, (done) =>
    report({ kind: 'judging', done, images: examples.length }),
  );
  const own = answered.images.map((example) => groupOf.get(example)!);
  return {
    ...compare(names, set.labels, answered, own),
    classes: set.labels.filter((_, label) => examples.some((example) => example.label === label)),
    leftOut,
    dataDigest: dataDigest(set.labels, examples),
    unreadable: [...set.unreadable, ...answered.unreadable],
    passedOver: set.passedOver,
  };
}

/** The images of the classes that all models know. */
async function sharedSet(
  options: CompareOptions,
  names: readonly string[],
): Promise<{ set: LabelledSet; leftOut: string[] }> {
  const { dir, models, report } = options;
  const folders = await labelledFolders(dir);
  const matched = models.map(({ info }) => matchFolders(folders, info.labels));
  for (const [i, { labels, unknown }] of matched.entries()) {
    if (labels.size === 0) {
      throw unshared(
        `${names[i]} knows none of the classes in ${dir}`,
        `Its folders are ${quotedList(folders)}; the labels of ${names[i]} are ${quotedList(models[i]!.info.labels)}.`,
      );
    }
    if (unknown.length > 0) report({ kind: 'left out', model: names[i]!, folders: unknown });
  }
  const leftOut = folders.filter((folder) => matched.some(({ labels }) => !labels.has(folder)));
  if (leftOut.length === folders.length) {
    throw unshared(
      `no class in ${dir} is known to all of ${names.join(', ')}`,
      matched.map(({ labels }, i) => `${names[i]} knows ${quotedList([...labels.keys()])}.`).join('\n'),
    );
  }
  const labelOf = new Map([...matched[0]!.labels].filter(([folder]) => !leftOut.includes(folder)));
  const onProgress = (files: number) => report({ kind: 'reading', files });
  const known = models[0]!.info.labels;
  return {
    set: await readLabelled(dir, { ...options, known, labelOf, ignore: leftOut, onProgress }),
    leftOut,
  };
}

function unshared(message: string, facts: string): VisionscaleError {
  const hint = `${facts}\nCompare models that have labels in common, or rename the folders.`;
  return new VisionscaleError(message, { code: 'unknown_classes', hint });
}

/** Up to `limit` examples with their groups, as `train` finds them; likeness is told by small copies, which favour no model. */
async function grouped(
  { groupBy, limit = Infinity, limits, signal, report }: CompareOptions,
  all: readonly Example[],
): Promise<{ examples: Example[]; groups: Int32Array }> {
  const count = Math.min(limit, all.length);
  const some = Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]!);
  if (groupBy) refuseUnfit(some, groupBy);
  const onProgress = (done: number) => report({ kind: 'grouping', done, images: some.length });
  const found = await fingerprints(some, { limits, signal, onProgress });
  // Without those that were removed meanwhile.
  const examples = some.filter((_, i) => found[i] !== undefined);
  const prints = found.filter((print) => print !== undefined);
  const series = seriesOf(examples, prints, groupBy);
  return { examples, groups: groupsOf(examples, series, (i) => prints[i]!.pixels) };
}
