/** What a model shows of images that it knows and has not learned from: a stream of images is compared with it. */
import type { ExpectedResults } from '../../models/format/manifest.ts';
import type { Judgement } from './judge.ts';

/** Share of 1 of the images judged that the model calls unknown; undefined where it does not tell. */
export function unknownShare({ answers }: Pick<Judgement, 'answers'>): number | undefined {
  const told = answers.filter(({ novelty }) => novelty !== undefined);
  if (told.length === 0) return undefined;
  return told.filter(({ novelty }) => novelty! >= 1).length / told.length;
}

/** Undefined where nothing was judged. `labels` are the model's. */
export function expectedResults(
  judgement: Judgement,
  labels: readonly string[],
): ExpectedResults | undefined {
  const { answers } = judgement;
  if (answers.length === 0) return undefined;
  const confidences = answers.map(({ top }) => 100 * (top[0]?.score ?? 0));
  const mean = confidences.reduce((sum, value) => sum + value, 0) / confidences.length;
  const variance = confidences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / confidences.length;
  const classes = labels.map(() => 0);
  for (const { top } of answers) if (top[0] !== undefined) classes[top[0].label]!++;
  const unknown = unknownShare(judgement);
  return {
    images: answers.length,
    ...(unknown !== undefined && { unknown }),
    confidence: { mean, sd: Math.sqrt(variance) },
    classes,
  };
}
