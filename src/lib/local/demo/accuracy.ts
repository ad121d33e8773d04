/** Holds the predictions of a demo against what its pictures are known to show. */
import type { Answer } from '../../systems/database/tables/demo.ts';

export interface Judged extends Answer {
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
export function withTruth(answers: readonly Answer[], truth: ReadonlyMap<string, string>): Judged[] {
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
