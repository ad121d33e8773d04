/** Writes what a judgement comes to: report.html for people, metrics.json for programs. */
import { join } from 'node:path';
import { replaceAskedFile } from '../../base/files/disk.ts';
import { makeWritableDirectory } from '../../base/files/make-directory.ts';
import { unknownShare } from './expected.ts';
import { worstMistakes, type JudgedImage } from './judge.ts';
import { confusedPairs } from './metrics.ts';
import { classCounts, countWarnings } from './report/counts.ts';
import type { ReportInput } from './report/input.ts';
import { reportPage } from './report/page.ts';
import { accuracyInterval, verdict } from './report/verdict.ts';

export interface ReportFiles {
  html: string;
  metrics: string;
}

/** Replaces both files in `dir`, which is made where it is missing. Returns their paths. */
export async function writeReport(dir: string, input: ReportInput): Promise<ReportFiles> {
  const dated = { ...input, created: input.created ?? new Date().toISOString() };
  const files = { html: join(dir, 'report.html'), metrics: join(dir, 'metrics.json') };
  await makeWritableDirectory(dir);
  await replaceAskedFile(files.html, await reportPage(dated));
  await replaceAskedFile(files.metrics, `${JSON.stringify(metricsDocument(dated), undefined, 1)}\n`);
  return files;
}

const mostPairs = 100;
const mostMistakes = 100;

/** metrics.json: what the report says, for programs. Shares are of 1. */
function metricsDocument(input: ReportInput): Record<string, unknown> {
  const { judgement, model, parent, dataDigest, seed, history, duplicates, unreadable, created, holdOut } =
    input;
  const { novelty, calibration, foreign } = input;
  const { grade, answer, because, next } = verdict(input);
  const failed = unreadable ?? judgement.unreadable;
  return {
    created,
    model,
    ...(parent !== undefined && { parent }),
    ...(dataDigest !== undefined && { dataDigest }),
    ...(seed !== undefined && { seed }),
    verdict: { grade, answer, because, next },
    warnings: countWarnings(input),
    ...judged(input),
    ...(holdOut !== undefined && { holdOut }),
    ...(novelty !== undefined && { novelty }),
    ...(calibration !== undefined && { calibration }),
    ...(foreign !== undefined && { foreign }),
    counts: classCounts(input),
    ...(history !== undefined && { history }),
    ...(duplicates !== undefined && { duplicates }),
    unreadable: failed,
  };
}

function judged(input: ReportInput): Record<string, unknown> {
  const { judgement } = input;
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
    // None where the images are not independent.
    interval95: accuracyInterval(input, judgement) ?? null,
    inferMs,
    unknown: unknownShare(judgement) ?? null,
    labels,
    perClass,
    confusion,
    confusedPairs: confusedPairs(labels, metrics).slice(0, mostPairs),
    worstMistakes: worstMistakes(judgement).slice(0, mostMistakes).map(name),
  };
}
