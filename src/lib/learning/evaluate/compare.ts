/** The verb `model compare`: which of several models to take, by the same labelled pictures. */
import { UsageError, VisionscaleError } from '../../base/errors.ts';
import type { PassedOver } from '../../base/files/image-names.ts';
import type { Rejection } from '../../base/files/walk.ts';
import { median } from '../../base/statistics.ts';
import type { Interval } from '../../base/statistics.ts';
import type { Classifier } from '../../models/classifier/classifier.ts';
import type { LoadedModel } from '../../models/format/model.ts';
import type { ImageLimits } from '../../models/images/limits.ts';
import { dataDigest, type Example, quotedList } from '../datasets/dataset.ts';
import { groupsOf, heldGroups, type HeldGroups } from '../groups/groups.ts';
import { type GroupOf, refuseUnfit } from '../groups/names.ts';
import { seriesOf } from '../groups/series.ts';
import { fingerprints } from './duplicates.ts';
import { labelledFolders, type LabelledSet, matchFolders, readLabelled } from './evaluate.ts';
import { type Difference, differenceInterval, shareInterval } from './grouped.ts';
import { classifyFile, isRight, Judging, type Judgement } from './judge.ts';

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
  report: (event: CompareEvent) => void;
}

export type CompareEvent =
  | { kind: 'reading'; files: number }
  /** Folders that are no label of the model: no model is judged on them. */
  | { kind: 'left out'; model: string; folders: string[] }
  | { kind: 'grouping'; done: number; images: number }
  | { kind: 'judging'; done: number; images: number };

export interface ComparedModel {
  /** With as much of version and digest as tells it from the others. */
  name: string;
  judgement: Judgement;
  /** Of its accuracy, 95 %; null where there are too few groups. */
  interval95: Interval | null;
  /** Of decoding, preparing and inference of an image in one worker, the median: milliseconds. */
  ms: number;
  /** Processor time of the same, the mean; null where it cannot be told. */
  cpuMs: number | null;
  /** Of its weights. */
  bytes: number;
  /** Share of images that it calls unknown; undefined where it does not tell. */
  unknown?: number;
  /** How far the best is ahead of it; undefined for the best, null where there are too few groups. */
  behind?: Difference | null;
}

export interface Comparison {
  /** As they were given. */
  models: ComparedModel[];
  /** The one that is right most often, of equal ones the fastest. */
  best: ComparedModel;
  images: number;
  groups: HeldGroups;
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
export async function compareModels(options: CompareOptions): Promise<Comparison> {
  try {
    return await compareAll(options);
  } catch (error) {
    if (!options.signal.aborted) throw error;
    throw new VisionscaleError('interrupted; no report was written', { code: 'interrupted' });
  }
}

async function compareAll(options: CompareOptions): Promise<Comparison> {
  const { models, report } = options;
  const names = distinctNames(models.map(({ info }) => info));
  const { set, leftOut } = await sharedSet(options, names);
  const { examples, groups } = await grouped(options, set.examples);
  const measured = await measure(options, set.labels, examples, (done) =>
    report({ kind: 'judging', done, images: examples.length }),
  );
  const groupOf = new Map(examples.map(({ path }, i) => [path, groups[i]!]));
  const own = measured.judgements[0]!.answers.map(({ path }) => groupOf.get(path)!);
  const right = measured.judgements.map(({ answers }) => answers.map(isRight));
  const all: ComparedModel[] = models.map(({ weights }, i) => ({
    name: names[i]!,
    judgement: measured.judgements[i]!,
    interval95: shareInterval(right[i]!, own),
    bytes: weights.length,
    ...measured.costs[i]!,
  }));
  const [best] = [...all.keys()].sort((a, b) => top1(all[b]!) - top1(all[a]!) || all[a]!.ms - all[b]!.ms);
  for (const [i, model] of all.entries()) {
    if (i !== best) model.behind = differenceInterval(right[best!]!, right[i]!, own);
  }
  return {
    models: all,
    best: all[best!]!,
    images: own.length,
    groups: heldGroups(own),
    classes: set.labels.filter((_, label) => examples.some((example) => example.label === label)),
    leftOut,
    dataDigest: dataDigest(set.labels, examples),
    unreadable: [...set.unreadable, ...measured.unreadable],
    passedOver: set.passedOver,
  };
}

export function top1({ judgement }: ComparedModel): number {
  return judgement.metrics.top1;
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

type Cost = Pick<ComparedModel, 'ms' | 'cpuMs' | 'unknown'>;

interface Measured {
  /** Of the same images, in the same order. */
  judgements: Judgement[];
  costs: Cost[];
  unreadable: Rejection[];
}

/** Images before the first that counts: code is compiled and memory found in them. */
const warmUps = 5;

/**
 * One image at a time goes through all models, in an order that turns, so that what else the machine does falls on all of them
 * alike.
 */
async function measure(
  { models, open, signal, limits }: CompareOptions,
  labels: readonly string[],
  examples: readonly Example[],
  onProgress: (done: number) => void,
): Promise<Measured> {
  const opened: Classifier[] = [];
  try {
    for (const model of models) opened.push(await open(model));
    const runs = opened.map((classifier) => ({
      classifier,
      judging: new Judging(labels),
      ms: [] as number[],
      cpuMs: 0,
      novelties: [] as number[],
    }));
    const classify = (classifier: Classifier, { path }: Example) =>
      classifyFile(classifier, path, { signal, maxBytes: limits.maxBytes });
    for (const example of examples.slice(0, warmUps)) {
      for (const { classifier } of runs) await classify(classifier, example);
    }
    const unreadable: Rejection[] = [];
    for (const [i, example] of examples.entries()) {
      signal.throwIfAborted();
      const turned = runs.map((_, k) => runs[(i + k) % runs.length]!);
      const answers: (() => void)[] = [];
      for (const run of turned) {
        const before = run.classifier.workedMs?.() ?? 0;
        const outcome = await classify(run.classifier, example);
        const spent = (run.classifier.workedMs?.() ?? 0) - before;
        if ('reason' in outcome) {
          unreadable.push(outcome);
          break;
        }
        const { stages, novelty } = outcome;
        answers.push(() => {
          run.judging.add(example, outcome);
          run.ms.push(stages.decode + stages.preprocess + stages.infer);
          run.cpuMs += spent;
          if (novelty !== undefined) run.novelties.push(novelty);
        });
      }
      // What one of them cannot read, none is judged on.
      if (answers.length === runs.length) for (const count of answers) count();
      onProgress(i + 1);
    }
    const costs = runs.map(({ ms, cpuMs, novelties }): Cost => ({
      ms: median(ms),
      cpuMs: cpuMs > 0 ? cpuMs / ms.length : null,
      ...(novelties.length > 0 && {
        unknown: novelties.filter((novelty) => novelty >= 1).length / novelties.length,
      }),
    }));
    const judgements = runs.map(({ judging, classifier }) => judging.judgement(classifier.model));
    return { judgements, costs, unreadable };
  } finally {
    await Promise.all(opened.map((classifier) => classifier[Symbol.asyncDispose]()));
  }
}

/** With as much of their versions and digests as tells them apart. Throws a UsageError where two are the same. */
function distinctNames(models: readonly LoadedModel['info'][]): string[] {
  const forms = [
    ({ name }: LoadedModel['info']) => name,
    ({ name, version }: LoadedModel['info']) => `${name}@${version}`,
    ({ name, digest }: LoadedModel['info']) => `${name} ${digest.slice(0, 'sha256:'.length + 8)}`,
  ];
  for (const form of forms) {
    const names = models.map(form);
    if (new Set(names).size === names.length) return names;
  }
  throw new UsageError('the same model is given twice', 'Name different ones: visionscale model list');
}
