/** The pictures of `demo` without a directory: parts on a belt, drawn here, so that predictions can be held against what they show. */
import { join } from 'node:path';
import type { LoadedModel } from '../../models/format/model.ts';
import type { DemoAnswer } from '../../systems/database/tables/demo.ts';
import { drawParts } from '../drawings/draw.ts';
import { kinds, labelOf } from '../drawings/shapes.ts';

export const demoParts = {
  count: 300,
  /** Neither the seed of the pictures that the bundled model was trained on, nor of those it was measured on. */
  seed: 300,
  /** The folder of their keys. */
  prefix: 'demo-parts',
} as const;

/** Being drawn. Disposing draws no more. */
export interface DrawnParts extends AsyncDisposable {
  /** Where they are, a folder for each label. */
  directory: string;
  /** What each picture shows, by its key: of all, once they are drawn. */
  truth: ReadonlyMap<string, string>;
  /** How many there are by now. */
  drawn: () => number;
  /** All of them. */
  done: Promise<void>;
}

/**
 * Begins to draw below the data directory: beside what else there is to do, for most of the work is done on threads of their
 * own. A second time draws the same pictures, which need no second upload.
 */
export function drawDemoParts(dataDir: string, options: { signal: AbortSignal }): DrawnParts {
  const directory = join(dataDir, demoParts.prefix);
  const truth = new Map<string, string>();
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const done = drawParts(directory, {
    ...demoParts,
    signal,
    onPicture: ({ path, label }) => void truth.set(`${demoParts.prefix}/${path}`, label),
  });
  done.catch(() => undefined); // whoever needs the pictures awaits it
  return {
    directory,
    truth,
    drawn: () => truth.size,
    done,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done.catch(() => undefined);
    },
  };
}

/** Whether the model has a name for every part. */
export function knowsParts({ info }: LoadedModel): boolean {
  const labels = new Set(info.labels);
  return kinds.every((kind) => labels.has(labelOf(kind)));
}

/** Holds the predictions of a demo against what its pictures are known to show. */
export interface Judged extends DemoAnswer {
  truth: string;
}

export interface Accuracy {
  /** Share of the images with the right category, of 1; what has no prediction is not right. */
  accuracy: number;
  right: number;
  /** The surest first. */
  mistakes: Judged[];
}

/** The answers to images of which it is known what they show. */
export function withTruth(answers: readonly DemoAnswer[], truth: ReadonlyMap<string, string>): Judged[] {
  return answers.flatMap((answer) => {
    const known = truth.get(answer.imageKey);
    return known === undefined ? [] : [{ ...answer, truth: known }];
  });
}

/** `images`: how many there are, with a prediction or without. */
export function accuracyOf(judged: readonly Judged[], images: number): Accuracy {
  const mistakes = judged
    .filter(({ category, truth }) => category !== truth)
    .sort((a, b) => b.confidence - a.confidence);
  const right = judged.length - mistakes.length;
  return { accuracy: images === 0 ? 0 : right / images, right, mistakes };
}
