/** metrics.json: what the report says, for programs. Shares are of 1. */
import { wilson } from '../certainty.ts';
import { compareJudgements } from '../compare.ts';
import { worstMistakes, type JudgedImage, type Judgement } from '../judge.ts';
import { confusedPairs } from '../metrics.ts';
import type { ReportInput } from '../report.ts';
import { classCounts, countWarnings } from './counts.ts';
import { verdict } from './verdict.ts';

const mostPairs = 100;
const mostMistakes = 100;

export function metricsDocument(input: ReportInput): Record<string, unknown> {
  const { judgements, model, parent, dataDigest, seed, history, duplicates, unreadable, created } = input;
  const [first, second] = judgements;
  const { grade, answer, because, next } = verdict(input);
  const failed = unreadable ?? first.unreadable;
  return {
    created,
    model,
    ...(parent !== undefined && { parent }),
    ...(dataDigest !== undefined && { dataDigest }),
    ...(seed !== undefined && { seed }),
    verdict: { grade, answer, because, next },
    warnings: countWarnings(input),
    ...judged(first),
    counts: classCounts(input),
    ...(history !== undefined && { history }),
    ...(duplicates !== undefined && { duplicates }),
    unreadable: failed,
    ...(second !== undefined && { compared: judged(second), comparison: comparison(first, second) }),
  };
}

function judged(judgement: Judgement): Record<string, unknown> {
  const { model, labels, metrics, inferMs } = judgement;
  const { top1, top5, count, perClass, confusion } = metrics;
  const name = (answer: JudgedImage) => ({
    path: answer.path,
    truth: labels[answer.truth],
    answer: answer.top[0] === undefined ? null : labels[answer.top[0].label],
    score: answer.top[0]?.score ?? null,
  });
  return {
    judgedModel: model,
    top1,
    top5,
    count,
    interval95: wilson(Math.round(top1 * count), count),
    inferMs,
    labels,
    perClass,
    confusion,
    confusedPairs: confusedPairs(labels, metrics).slice(0, mostPairs),
    worstMistakes: worstMistakes(judgement).slice(0, mostMistakes).map(name),
  };
}

function comparison(first: Judgement, second: Judgement): Record<string, unknown> {
  const { onlyFirst, onlySecond, ...rest } = compareJudgements(first, second);
  const paths = (pairs: typeof onlyFirst) => pairs.map((pair) => pair.first.path);
  return { ...rest, onlyFirst: paths(onlyFirst), onlySecond: paths(onlySecond) };
}
