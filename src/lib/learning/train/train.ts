/** The verb `train`: labelled folders in, a judged version of a model in the store out. */
import { createHash } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { VisionscaleError } from '../../base/errors.ts';
import { freeBytes, makeWritableDirectory, requireRoom } from '../../base/files/make-directory.ts';
import type { Classifier } from '../../models/classifier/classifier.ts';
import { inSharedMemory } from '../../models/format/model-files.ts';
import type { LoadedModel } from '../../models/format/model.ts';
import type { Preprocessing } from '../../models/images/preprocess.ts';
import { headFeatures } from '../../models/onnx/head.ts';
import { type OnnxModel, parseOnnx, serializeOnnx } from '../../models/onnx/onnx.ts';
import { entryLabel, type ModelEntry } from '../../models/store/entry.ts';
import type { ModelStore, NewManifest } from '../../models/store/store.ts';
import type { CorrectedDataset } from '../corrections.ts';
import { dataDigest, countsOf } from '../datasets/dataset.ts';
import { type FoundSets, readSets } from '../datasets/sets.ts';
import { expectedResults } from '../evaluate/expected.ts';
import { judge, type Judgement } from '../evaluate/judge.ts';
import type { HoldOutNotes, NoveltyNotes, ReportInput } from '../evaluate/report/input.ts';
import { writeReport, type ReportFiles } from '../evaluate/report.ts';
import type { GroupOf } from '../groups/names.ts';
import { featureBytes } from './features/network.ts';
import { holdOut, type Sets } from './hold-out.ts';
import {
  describeImages,
  noveltyNotice,
  trainMode,
  type ModeEvent,
  type ModeOptions,
  type Trained,
} from './modes.ts';
import { compareWithFormer, formerVersion, type VersionComparison } from './promote.ts';

export interface TrainOptions extends ModeOptions {
  /** May be absent where there are corrections. */
  dir?: string | undefined;
  /** Fetches corrected images to learn from as well. */
  corrections?: (() => Promise<CorrectedDataset>) | undefined;
  classes?: readonly string[] | undefined;
  /** Directory of the hold-out; without it `valSplit` of each class is held back, in whole groups. */
  val?: string | undefined;
  valSplit: number;
  /** Which images belong together by their names; see `seriesOf` for what is found without it. */
  groupBy?: GroupOf | undefined;
  /** Symbolic links that lead out of the directories are followed. */
  followLinks?: boolean | undefined;
  /** A file that cannot be used is an error. */
  strict?: boolean | undefined;
  /** What the model is called in the store. */
  name: string;
  /** What to start from; asked for only when something is trained, and not in mode `scratch`. */
  parent: () => Promise<LoadedModel>;
  /** Throws where mode `scratch` cannot work, before any image is looked at. */
  requireNetworkTraining: () => Promise<void>;
  /** Train though there is a model of that name. */
  retrain: boolean;
  /** Directory of the report. */
  out: string;
  store: ModelStore;
  openClassifier: (model: LoadedModel) => Promise<Classifier>;
  onEvent: (event: TrainingEvent) => void;
}

export type TrainingEvent =
  | ModeEvent
  | { kind: 'reading'; files: number }
  | { kind: 'sets'; sets: Sets }
  | { kind: 'comparing'; done: number; total: number }
  | { kind: 'interrupted' }
  | { kind: 'judging-model'; model: string; done: number; total: number };

export type TrainResult =
  | { kind: 'reused'; entry: ModelEntry }
  | {
      kind: 'trained';
      entry: ModelEntry;
      judgement: Judgement;
      comparison: VersionComparison;
      sets: Sets;
      input: ReportInput;
      report: ReportFiles;
      /** Ctrl-C ended it: this is the best epoch until then. Never in mode `head`, which then throws. */
      interrupted: boolean;
    };

/** Throws a VisionscaleError: dataset_invalid, parent_unsuitable, interrupted, …; a UsageError. */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const { store, name, retrain, signal } = options;
  const former = await formerVersion(store, name);
  if (former !== undefined && !retrain && !(await isUnfinished(options, former))) {
    return { kind: 'reused', entry: former };
  }
  try {
    return await trainAnew(options, former);
  } catch (error) {
    if (!signal.aborted || (error instanceof VisionscaleError && error.code !== 'interrupted')) throw error;
    throw new VisionscaleError('interrupted; no model was made', {
      code: 'interrupted',
      hint: 'Computed features are kept, so the same command will be faster.',
    });
  }
}

/** Whether `--resume` has something to go on with. */
async function isUnfinished(options: TrainOptions, former: ModelEntry): Promise<boolean> {
  if (!options.resume) return false;
  if (former.manifest?.training?.['interrupted'] === true) return true;
  return (await stat(checkpoints(options)).catch(() => undefined)) !== undefined;
}

/** Directory of what an interrupted training from scratch leaves. */
function checkpoints({ workDir, name }: TrainOptions): string {
  return join(workDir, name);
}

/** Of the largest SqueezeNet 1.1 (1000 classes, 1.25 million numbers), and of a report with its pictures. */
const modelBytes = 8 * 2 ** 20;
const reportBytes = 4 * 2 ** 20;
/** The network, its best state and what the optimizer keeps, and once more while the file is replaced. */
const checkpointBytes = 64 * 2 ** 20;

async function trainAnew(options: TrainOptions, former: ModelEntry | undefined): Promise<TrainResult> {
  const { mode, seed, signal, onEvent, store, out } = options;
  // Whatever can fail is tried before any image is looked at.
  await makeWritableDirectory(out);
  await makeWritableDirectory(options.workDir);
  await store.prepare(modelBytes);
  await requireRoom(out, reportBytes, 'the report');
  if (mode !== 'head') await requireRoom(options.workDir, checkpointBytes, 'a checkpoint of the training');
  if (mode !== 'head') await options.requireNetworkTraining();
  const parent = mode === 'scratch' ? undefined : await options.parent();
  const from = parent && { graph: readParent(parent), preprocessing: parent.preprocessing };
  const corrected = await options.corrections?.();
  const found = await readSets({
    ...options,
    corrected,
    onProgress: (files) => onEvent({ kind: 'reading', files }),
  });
  if (from) {
    const features = headFeatures(from.graph);
    // What tells unknown objects is a square of them.
    await store.prepare(parent.weights.length + 4 * features ** 2);
    await tellFewRoom(options, found, features);
  }
  const sets = await holdOut(found, {
    ...options,
    pattern: options.groupBy,
    describe: from && ((examples) => describeImages(options, examples, from)),
    onProgress: (done, total) => onEvent({ kind: 'comparing', done, total }),
  });
  onEvent({ kind: 'sets', sets });
  const digests = { data: dataDigest(sets.labels, sets.train), heldOut: dataDigest(sets.labels, sets.held) };
  const trained = await trainMode(options, sets, from, checkpoints(options));
  // A network of hours is kept as it is; a head takes seconds, and its features are kept.
  const stop = mode === 'head' ? signal : new AbortController().signal;
  stop.throwIfAborted();
  const interrupted = signal.aborted;
  if (interrupted) onEvent({ kind: 'interrupted' });

  const { graph, preprocessing, details, history } = trained;
  const notice = noveltyNotice(trained.novelty);
  if (notice !== undefined && !interrupted) options.onNotice(notice);
  const onnx = serializeOnnx(graph);
  // Judged before it is installed, for its manifest says how good it is; by the very path that inference takes.
  const model = inMemory(options.name, onnx, sets.labels, preprocessing);
  const judgement = await judgeWith(options, model, sets, stop);
  const expected = expectedResults(judgement, sets.labels);
  const { top1, top5, count } = judgement.metrics;
  const candidate = { ...model.info, top1, heldOut: digests.heldOut };
  const comparison = await compareWithFormer(candidate, former, async (rival) => {
    const { metrics } = await judgeWith(options, rival, sets, stop);
    return metrics.top1;
  });
  const manifest: NewManifest = {
    name: options.name,
    preprocessing,
    output: 'logits',
    ...(parent && { parent: parent.info.digest }),
    source: `trained (${mode})${parent ? ` from ${entryLabel(parent.info)}` : ''}`,
    metrics: { top1, top5, heldOutImages: count },
    ...(expected && { expected }),
    training: {
      mode,
      ...digests,
      seed,
      trainImages: sets.train.length,
      heldOutGroups: sets.groups.count,
      interrupted,
      ...details,
      ...(corrected && { corrections: corrected.examples.length }),
    },
  };
  stop.throwIfAborted();
  const entry = await store.install({ manifest, weights: onnx, labels: sets.labels });
  const named = { ...judgement, model: { name: entry.name, version: entry.version, digest: entry.digest! } };
  const trainCounts = countsOf(sets.train, sets.labels.length);
  const heldCounts = countsOf(sets.held, sets.labels.length);
  const input: ReportInput = {
    judgement: named,
    model: named.model,
    ...(parent && { parent: parent.info }),
    counts: sets.labels.map((label, i) => ({ label, train: trainCounts[i]!, held: heldCounts[i]! })),
    ...(history && { history }),
    duplicates: sets.duplicates,
    holdOut: holdOutNotes(sets, trained, options),
    novelty: noveltyNotes(trained, sets.labels),
    calibration: trained.calibration,
    dataDigest: digests.data,
    seed,
    unreadable: sets.unreadable,
  };
  const report = await writeReport(out, input);
  if (!interrupted) await rm(checkpoints(options), { recursive: true, force: true });
  return {
    kind: 'trained',
    entry,
    judgement: named,
    comparison,
    sets,
    input,
    report,
    interrupted,
  };
}

function noveltyNotes({ novelty }: Trained, labels: readonly string[]): NoveltyNotes | { reason: string } {
  if ('reason' in novelty) return novelty;
  const { calibration, leftOut } = novelty;
  return {
    calibration,
    leftOut: leftOut.map(({ label, ...figures }) => ({ label: labels[label]!, ...figures })),
  };
}

function holdOutNotes(sets: Sets, trained: Trained, { val }: TrainOptions): HoldOutNotes {
  const { groups, isNamed, mixed, duplicatesLeftOut, oneGroup } = sets;
  const { ungroupedTop1, crossValidatedTop1 } = trained;
  const isGiven = val !== undefined;
  return { groups, isGiven, isNamed, mixed, duplicatesLeftOut, oneGroup, ungroupedTop1, crossValidatedTop1 };
}

/** Features that the disk does not take are computed again the next time: no reason to stop. */
async function tellFewRoom(
  { workDir, onNotice }: TrainOptions,
  { train }: FoundSets,
  features: number,
): Promise<void> {
  const needed = train.length * featureBytes(features);
  const free = await freeBytes(workDir);
  if (free === undefined || free >= needed) return;
  const mebibytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MB`;
  onNotice(
    `the disk of ${workDir} has ${mebibytes(free)} left, the features of ${train.length} images take up to ${mebibytes(needed)}: ` +
      'those that do not fit are computed again for the next training run',
  );
}

function inMemory(
  name: string,
  onnx: Uint8Array,
  labels: string[],
  preprocessing: Preprocessing,
): LoadedModel {
  return {
    info: {
      name,
      version: 'new',
      digest: `sha256:${createHash('sha256').update(onnx).digest('hex')}`,
      labels,
    },
    weights: inSharedMemory(onnx),
    preprocessing,
    output: 'logits',
  };
}

/** Throws when aborted. */
async function judgeWith(
  options: TrainOptions,
  model: LoadedModel,
  { labels, held }: Sets,
  signal: AbortSignal,
): Promise<Judgement> {
  await using classifier = await options.openClassifier(model);
  const onProgress = (done: number, total: number) =>
    options.onEvent({ kind: 'judging-model', model: model.info.name, done, total });
  return await judge(classifier, labels, held, { signal, onProgress, maxBytes: options.limits.maxBytes });
}

/** Of what can be trained on. Throws a VisionscaleError `parent_unsuitable`. */
function readParent({ info, weights }: LoadedModel): OnnxModel {
  try {
    const graph = parseOnnx(weights);
    headFeatures(graph);
    return graph;
  } catch (cause) {
    if (!(cause instanceof VisionscaleError)) throw cause;
    throw new VisionscaleError(`training cannot start from ${info.name}@${info.version}: ${cause.message}`, {
      code: 'parent_unsuitable',
      hint: 'Use a classifier with float32 weights that ends in a linear layer: --from squeezenet1_1 (visionscale model pull squeezenet1_1 gets it).',
      cause,
    });
  }
}
