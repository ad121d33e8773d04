/** Several models on the same images, wherever these come from: what each says, how fast, and which is right more often. */
import type { Classification } from '../../base/classification.ts';
import { UsageError } from '../../base/errors.ts';
import type { Rejection } from '../../base/files/walk.ts';
import { type Interval, median } from '../../base/statistics.ts';
import type { Classifier } from '../../models/classifier/classifier.ts';
import type { LoadedModel } from '../../models/format/model.ts';
import { heldGroups, type HeldGroups } from '../groups/groups.ts';
import { type Difference, differenceInterval, shareInterval } from './grouped.ts';
import { classifyImage, isRight, type Judgement, judgementOf, type LabelledImage } from './judge.ts';

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

/** Which of them is right more often. */
export interface Compared {
  /** As they were given. */
  models: ComparedModel[];
  /** The one that is right most often, of equal ones the fastest. */
  best: ComparedModel;
  images: number;
  groups: HeldGroups;
}

type Cost = Pick<ComparedModel, 'ms' | 'cpuMs' | 'unknown'>;

/** What a model answered, an image at a time, and what that took. */
export interface Run {
  model: LoadedModel;
  answers: Classification[];
  cost: Cost;
}

export interface Answered<Image> {
  /** Those that every model could read. */
  images: Image[];
  runs: Run[];
  unreadable: Rejection[];
}

export interface AnswerOptions<Image> {
  /** Two at least. */
  models: readonly LoadedModel[];
  /** With one worker; all are open at the same time. */
  open: (model: LoadedModel) => Promise<Classifier>;
  /** Bytes that the classifier may take over. */
  read: (image: Image) => Promise<Uint8Array>;
  signal: AbortSignal;
}

/** Images before the first that counts: code is compiled and memory found in them. */
const warmUps = 5;

/**
 * One image at a time goes through all models, in an order that turns, so that what else the machine does falls on all of them
 * alike. What one of them cannot read counts for none. Throws the signal's reason, and what is no image's fault.
 */
export async function answerInTurn<Image extends Pick<LabelledImage, 'path'>>(
  { models, open, read, signal }: AnswerOptions<Image>,
  all: readonly Image[],
  onProgress: (done: number) => void,
): Promise<Answered<Image>> {
  const opened: Classifier[] = [];
  try {
    for (const model of models) opened.push(await open(model));
    const classify = (classifier: Classifier, image: Image) =>
      classifyImage(classifier, image.path, () => read(image), signal);
    for (const image of all.slice(0, warmUps)) {
      for (const classifier of opened) await classify(classifier, image);
    }
    const images: Image[] = [];
    const unreadable: Rejection[] = [];
    const answers = models.map((): Classification[] => []);
    const cpuMs = models.map(() => 0);
    for (const [i, image] of all.entries()) {
      signal.throwIfAborted();
      const outcomes: { answer: Classification; spent: number }[] = [];
      let fault: Rejection | undefined;
      for (let k = 0; k < opened.length; k++) {
        const at = (i + k) % opened.length;
        const classifier = opened[at]!;
        const before = classifier.workedMs?.() ?? 0;
        const answer = await classify(classifier, image);
        if ('reason' in answer) {
          fault = answer;
          break;
        }
        outcomes[at] = { answer, spent: (classifier.workedMs?.() ?? 0) - before };
      }
      if (fault !== undefined) unreadable.push(fault);
      else {
        images.push(image);
        for (const [at, { answer, spent }] of outcomes.entries()) {
          answers[at]!.push(answer);
          cpuMs[at]! += spent;
        }
      }
      onProgress(i + 1);
    }
    const runs = models.map((model, at): Run => {
      const own = answers[at]!;
      return { model, answers: own, cost: costOf(own, cpuMs[at]!) };
    });
    return { images, runs, unreadable };
  } finally {
    await Promise.all(opened.map((classifier) => classifier[Symbol.asyncDispose]()));
  }
}

function costOf(answers: readonly Classification[], cpuMs: number): Cost {
  const novelties = answers.flatMap(({ novelty }) => novelty ?? []);
  return {
    ms: median(answers.map(({ stages }) => stages.decode + stages.preprocess + stages.infer)),
    cpuMs: cpuMs > 0 ? cpuMs / answers.length : null,
    ...(novelties.length > 0 && {
      unknown: novelties.filter((novelty) => novelty >= 1).length / novelties.length,
    }),
  };
}

/** Of images that all have a label. `names`: one a model; `groups`: one number an image. */
export function compare(
  names: readonly string[],
  labels: readonly string[],
  { images, runs }: Pick<Answered<LabelledImage>, 'images' | 'runs'>,
  groups: readonly number[],
): Compared {
  const judgements = runs.map(({ model, answers }) => judgementOf(model.info, labels, images, answers));
  const right = judgements.map(({ answers }) => answers.map(isRight));
  const models = runs.map(({ model, cost }, i): ComparedModel => ({
    name: names[i]!,
    judgement: judgements[i]!,
    interval95: shareInterval(right[i]!, groups),
    bytes: model.weights.length,
    ...cost,
  }));
  const [best] = [...models.keys()].sort(
    (a, b) => top1(models[b]!) - top1(models[a]!) || models[a]!.ms - models[b]!.ms,
  );
  for (const [i, model] of models.entries()) {
    if (i !== best) model.behind = differenceInterval(right[best!]!, right[i]!, groups);
  }
  return { models, best: models[best!]!, images: images.length, groups: heldGroups(groups) };
}

export function top1({ judgement }: ComparedModel): number {
  return judgement.metrics.top1;
}

/** With as much of their versions and digests as tells them apart. Throws a UsageError where two are the same. */
export function distinctNames(models: readonly LoadedModel['info'][]): string[] {
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
