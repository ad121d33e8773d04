/** The verb `evaluate`: a model on labelled folders. */
import { UsageError, VisionscaleError } from '../../base/errors.ts';
import { classFolders, folderName } from '../../base/files/class-folders.ts';
import { type PassedOver, passedOverTogether } from '../../base/files/image-names.ts';
import { checkPaths, pathFilter, type Rejection, walk } from '../../base/files/walk.ts';
import { nearest } from '../../base/nearest.ts';
import type { Classifier } from '../../models/classifier/classifier.ts';
import type { LoadedModel } from '../../models/format/model.ts';
import type { ImageLimits } from '../../models/images/limits.ts';
import { dataDigest, type Example, readClassFolders } from '../datasets/dataset.ts';
import { judge, type Judgement, type LabelledImage } from './judge.ts';
import { areaUnderCurve } from './metrics.ts';
import type { ForeignNotes } from './report/input.ts';

export interface EvaluateOptions {
  /** One folder a class. */
  dir: string;
  model: LoadedModel;
  /** Directory of images of objects of none of the classes; for a model that tells unknown objects. */
  unknown?: string | undefined;
  open: (model: LoadedModel) => Promise<Classifier>;
  /** Folders that are no label of the model are left out; otherwise they are an error. */
  skipUnknown: boolean;
  /** Symbolic links that lead out of the directory are followed. */
  followLinks?: boolean | undefined;
  /** A file that cannot be used is an error. */
  strict?: boolean | undefined;
  limits: ImageLimits;
  signal: AbortSignal;
  report: (event: JudgeEvent) => void;
}

/** What `evaluate` and `model compare` tell while they work. */
export type JudgeEvent =
  | { kind: 'reading'; files: number }
  /** Folders that are no label of the model: nothing is judged on them. */
  | { kind: 'left out'; model: string; folders: string[] }
  | { kind: 'grouping' | 'judging' | 'judging unknown'; done: number; images: number };

export interface Evaluation {
  judgement: Judgement;
  /** Of the images in `unknown`. */
  foreign?: ForeignNotes;
  /** Of the images with their labels. */
  dataDigest: string;
  unreadable: Rejection[];
  passedOver: PassedOver;
}

/** Throws a VisionscaleError `unknown_classes`, `dataset_invalid` or `interrupted`, a UsageError without `dir`. */
export function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  return unlessInterrupted(options.signal, () => evaluateModel(options));
}

/** Throws `interrupted` where the signal is why it failed. */
export async function unlessInterrupted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new VisionscaleError('interrupted; no report was written', { code: 'interrupted' });
  }
}

async function evaluateModel(options: EvaluateOptions): Promise<Evaluation> {
  const { dir, model, open, skipUnknown, limits, signal, report } = options;
  const known = model.info.labels;
  const { labels, unknown } = matchFolders(await labelledFolders(dir), known);
  if (unknown.length > 0 && (!skipUnknown || labels.size === 0)) throw unknownFolders(unknown, known);
  if (unknown.length > 0) report({ kind: 'left out', model: model.info.name, folders: unknown });
  const onProgress = (files: number) => report({ kind: 'reading', files });
  const set = await readLabelled(dir, { ...options, known, labelOf: labels, ignore: unknown, onProgress });
  await using classifier = await open(model);
  const judgement = await judge(classifier, set.labels, set.examples, {
    signal,
    onProgress: (done, images) => report({ kind: 'judging', done, images }),
    maxBytes: limits.maxBytes,
  });
  const foreign =
    options.unknown === undefined
      ? undefined
      : await judgeForeign(classifier, judgement, options.unknown, options);
  const { dataDigest: digest, unreadable, passedOver } = set;
  return { judgement, ...(foreign && { foreign }), dataDigest: digest, unreadable, passedOver };
}

/** Throws a UsageError where the model does not tell unknown objects, or the directory holds no image. */
async function judgeForeign(
  classifier: Classifier,
  known: Judgement,
  dir: string,
  { limits, signal, report, followLinks }: EvaluateOptions,
): Promise<ForeignNotes> {
  const novelties = ({ answers }: Judgement) => answers.flatMap(({ novelty }) => novelty ?? []);
  const low = novelties(known);
  if (low.length === 0) {
    throw new UsageError(
      `${classifier.model.name} does not tell unknown objects`,
      'Models that visionscale train has made do: train it again, or leave --unknown out.',
    );
  }
  await checkPaths([dir]);
  const images: LabelledImage[] = [];
  for await (const found of walk(dir, pathFilter(), signal, { followLinks })) {
    if ('file' in found) images.push({ path: found.file.file, label: 0 });
  }
  signal.throwIfAborted();
  const judged = await judge(classifier, ['unknown'], images, {
    signal,
    onProgress: (done, images) => report({ kind: 'judging unknown', done, images }),
    maxBytes: limits.maxBytes,
  });
  const high = novelties(judged);
  if (high.length === 0) throw new UsageError(`there are no images in ${dir}`);
  return {
    images: high.length,
    unknown: high.filter((novelty) => novelty >= 1).length / high.length,
    auroc: areaUnderCurve(low, high),
  };
}

/** Throws a UsageError where there are none. */
export async function labelledFolders(dir: string): Promise<string[]> {
  const folders = await classFolders(dir);
  if (folders.length > 0) return folders;
  throw new UsageError(
    `${dir} has no class folders`,
    'Put the images of each label into a folder named after it.',
  );
}

export interface LabelledSet {
  /** Those that have images, in the order of `known`. */
  labels: string[];
  examples: Example[];
  dataDigest: string;
  unreadable: Rejection[];
  passedOver: PassedOver;
}

interface ReadOptions extends Pick<EvaluateOptions, 'followLinks' | 'strict' | 'limits' | 'signal'> {
  /** Labels of the model. */
  known: readonly string[];
  /** The label of each folder that is read. */
  labelOf: ReadonlyMap<string, string>;
  /** The other folders. */
  ignore: readonly string[];
  /** Told how many files were looked at. */
  onProgress: (files: number) => void;
}

/** Reads the images of a directory to judge by. Throws as `readClassFolders` does. */
export async function readLabelled(
  dir: string,
  { known, labelOf, ignore, ...options }: ReadOptions,
): Promise<LabelledSet> {
  // Labels without a folder join the classes, so that a single folder is a set to judge on too.
  const own = new Set(labelOf.values());
  const classes = [
    ...own,
    ...known.filter((label) => !own.has(label) && !ignore.includes(label)).slice(0, 2),
  ];
  const found = await readClassFolders(dir, { ...options, classes, named: labelOf, partial: { ignore } });
  const { unreadable } = found;
  const present = new Set(found.examples.map(({ label }) => found.labels[label]!));
  const labels = known.filter((label) => present.has(label));
  const index = new Map(labels.map((label, i) => [label, i]));
  const examples = found.examples.map((e) => ({ ...e, label: index.get(found.labels[e.label]!)! }));
  const passedOver = passedOverTogether([found.passedOver]);
  return { labels, examples, dataDigest: dataDigest(labels, examples), unreadable, passedOver };
}

/** Holds the class folders of a directory against the labels that the models know. */
interface MatchedFolders {
  /** The label of each folder that has one. */
  labels: Map<string, string>;
  unknown: string[];
}

/** A folder is named as its label, or as `folderName` writes it. */
export function matchFolders(folders: readonly string[], labels: Iterable<string>): MatchedFolders {
  const known = new Map<string, string>();
  for (const label of labels) known.set(folderName(label).normalize(), label).set(label.normalize(), label);
  const matched: MatchedFolders = { labels: new Map(), unknown: [] };
  for (const folder of folders) {
    const label = known.get(folder.normalize());
    if (label === undefined) matched.unknown.push(folder);
    else matched.labels.set(folder, label);
  }
  return matched;
}

const mostNamed = 20;

/** Names every folder that is no class, and the class it may have been meant as. */
export function unknownFolders(unknown: readonly string[], labels: readonly string[]): VisionscaleError {
  const lower = labels.map((label) => label.toLowerCase());
  const lines = unknown.slice(0, mostNamed).map((folder) => {
    const near = nearest(folder.toLowerCase(), lower);
    return near === undefined ? folder : `${folder}: did you mean ${labels[lower.indexOf(near)]}?`;
  });
  if (unknown.length > mostNamed) lines.push(`and ${unknown.length - mostNamed} more`);
  const some = labels.slice(0, 5).join(', ');
  return new VisionscaleError(
    `${unknown.length === 1 ? 'a folder is' : `${unknown.length} folders are`} not named after a label of the model:\n  ${lines.join('\n  ')}`,
    {
      code: 'unknown_classes',
      hint:
        `Its labels are ${some}${labels.length > 5 ? `, … (${labels.length}; visionscale model show lists them)` : ''}.\n` +
        'Rename the folders, or leave them out with --skip-unknown.',
    },
  );
}
