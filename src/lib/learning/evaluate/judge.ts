/** Judges a classifier on images whose labels are known. */
import { realpath } from 'node:fs/promises';
import type { Classification, ModelInfo } from '../../base/classification.ts';
import { ImageError, ObjectError, VisionscaleError } from '../../base/errors.ts';
import { readImageFile } from '../../base/files/read-file.ts';
import type { Rejection } from '../../base/files/walk.ts';
import { orderedGroups } from '../../base/flow/ordered-groups.ts';
import { retry } from '../../base/flow/retry.ts';
import { median } from '../../base/statistics.ts';
import type { Classifier } from '../../models/classifier/classifier.ts';
import { defaultLimits } from '../../models/images/limits.ts';
import { metricsOf, type LabelledAnswer, type Metrics, type RankedLabel } from './metrics.ts';

/** An image with its label: an example of `train/dataset.ts` is one. */
export interface LabelledImage {
  path: string;
  /** Index of its true label. */
  label: number;
}

export interface JudgedImage extends LabelledAnswer {
  path: string;
  /** From models that tell it: 1 or more is unknown. */
  novelty?: number;
}

export interface Judgement {
  model: Pick<ModelInfo, 'name' | 'version' | 'digest'>;
  /** The given labels, followed by those of the model that it answered with beyond them. */
  labels: string[];
  metrics: Metrics;
  /** In the order of the examples. */
  answers: JudgedImage[];
  unreadable: Rejection[];
  /** Milliseconds of inference an image, the median; 0 without images. */
  inferMs: number;
}

export interface JudgeOptions {
  signal: AbortSignal;
  /** Told after every image. */
  onProgress?: (done: number, total: number) => void;
  /** Largest file, in bytes. */
  maxBytes?: number;
}

/** Attempts at an image whose worker process dies. */
const attempts = 3;

/**
 * A category counts as the label of the same name. A file that is no image is listed and not counted. Throws the signal's
 * reason when aborted, and what is not an image's fault.
 */
export async function judge(
  classifier: Classifier,
  labels: readonly string[],
  examples: readonly LabelledImage[],
  { signal, onProgress, maxBytes = defaultLimits.maxBytes }: JudgeOptions,
): Promise<Judgement> {
  const judged: LabelledImage[] = [];
  const answers: Classification[] = [];
  const unreadable: Rejection[] = [];
  let done = 0;
  const groups = orderedGroups(
    (stopped) => each(examples, stopped),
    async (example) => {
      const read = () => readLabelledFile(example, maxBytes);
      return { example, outcome: await classifyImage(classifier, example.path, read, signal) };
    },
    { inFlight: 2 * classifier.workers + 2, signal },
  );
  for await (const group of groups) {
    for (const { example, outcome } of group) {
      if ('reason' in outcome) unreadable.push(outcome);
      else {
        judged.push(example);
        answers.push(outcome);
      }
      onProgress?.(++done, examples.length);
    }
  }
  signal.throwIfAborted();
  return { ...judgementOf(classifier.model, labels, judged, answers), unreadable };
}

/** A set may consist of links. */
export async function readLabelledFile({ path }: LabelledImage, maxBytes: number): Promise<Uint8Array> {
  return readImageFile(await realpath(path), maxBytes);
}

/** What is at fault with the image, where it is none or was removed. Throws as `judge` does. */
export async function classifyImage(
  classifier: Classifier,
  path: string,
  read: () => Promise<Uint8Array>,
  signal: AbortSignal,
): Promise<Classification | Rejection> {
  try {
    // One attempt is reading and classifying: the classifier takes over the bytes.
    return await retry(async () => classifier.classify(await read(), signal), { signal, attempts });
  } catch (error) {
    return { path, reason: imageFault(error) };
  }
}

/** How good the answers are that a model gave, one an image. */
export function judgementOf(
  { name, version, digest }: Judgement['model'],
  labels: readonly string[],
  images: readonly LabelledImage[],
  answers: readonly Classification[],
): Judgement {
  const space = new LabelSpace(labels);
  const judged = images.map(({ path, label }, i): JudgedImage => {
    const { novelty } = answers[i]!;
    return { path, truth: label, top: space.ranked(answers[i]!), ...(novelty !== undefined && { novelty }) };
  });
  return {
    model: { name, version, digest },
    labels: space.labels,
    metrics: metricsOf(space.labels, judged),
    answers: judged,
    unreadable: [],
    inferMs: answers.length === 0 ? 0 : median(answers.map(({ stages }) => stages.infer)),
  };
}

export function isRight({ truth, top }: LabelledAnswer): boolean {
  return top[0]?.label === truth;
}

/** The images that were answered wrongly, the surest of itself first. */
export function worstMistakes({ answers }: Judgement): JudgedImage[] {
  const score = ({ top }: JudgedImage) => top[0]?.score ?? 0;
  return answers.filter((answer) => !isRight(answer)).sort((a, b) => score(b) - score(a));
}

/** Labels by their index; grows by those that are answered and were not expected. */
class LabelSpace {
  readonly labels: string[];
  readonly #index: Map<string, number>;

  constructor(labels: readonly string[]) {
    this.labels = [...labels];
    this.#index = new Map(labels.map((label, index) => [label.normalize(), index]));
  }

  /** Runners-up with labels that no image has are left out: they are neither right nor confused with. */
  ranked({ top }: Classification): RankedLabel[] {
    return top.flatMap(({ category, confidence }, rank) => {
      const label = this.#index.get(category.normalize()) ?? (rank === 0 ? this.#add(category) : undefined);
      return label === undefined ? [] : [{ label, score: confidence / 100 }];
    });
  }

  #add(label: string): number {
    this.#index.set(label.normalize(), this.labels.length);
    return this.labels.push(label) - 1;
  }
}

function* each<T>(items: readonly T[], signal: AbortSignal): Generator<T> {
  for (const item of items) {
    if (signal.aborted) return;
    yield item;
  }
}

/** Why the one image cannot be used. Throws the error where that is no image's fault. */
export function imageFault(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'it was removed meanwhile';
  const isOwn =
    error instanceof ImageError ||
    (error instanceof ObjectError && error.ofObject) ||
    (error instanceof VisionscaleError && code === 'worker_crashed');
  if (!isOwn) throw error;
  return code === 'not_found' ? 'it is not in the store' : error.message;
}
