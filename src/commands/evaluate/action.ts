/** What `evaluate` does: judges, writes the report, and says the most important of it. */
import { loadModel, openClassifier } from '../../compose.ts';
import { makeWritableDirectory } from '../../lib/base/files/make-directory.ts';
import { printable } from '../../lib/base/printable.ts';
import { table } from '../../lib/base/report/table.ts';
import { wilson } from '../../lib/base/statistics.ts';
import { evaluate, type Evaluation } from '../../lib/learning/evaluate/evaluate.ts';
import { unknownShare } from '../../lib/learning/evaluate/expected.ts';
import type { ReportInput } from '../../lib/learning/evaluate/report/input.ts';
import { unknownLines } from '../../lib/learning/evaluate/report/unknown.ts';
import { verdict } from '../../lib/learning/evaluate/report/verdict.ts';
import { writeReport, type ReportFiles } from '../../lib/learning/evaluate/report.ts';
import { judged } from '../shared/judged.ts';
import type { Context } from '../shared/run.ts';

export interface EvaluateFlags {
  out: string;
  skipUnknown?: boolean;
  unknown?: string;
  followLinks?: boolean;
  strict?: boolean;
}

export default async function (context: Context, dir: string, flags: EvaluateFlags): Promise<void> {
  const { config, signal } = context;
  // What cannot be written is told before anything is judged.
  await makeWritableDirectory(flags.out);
  const model = await loadModel(config);
  const evaluation = await judged(context, 'evaluate', (report) =>
    evaluate({
      dir,
      model,
      unknown: flags.unknown,
      open: (model) => openClassifier(context, model),
      skipUnknown: flags.skipUnknown === true,
      followLinks: flags.followLinks,
      strict: flags.strict,
      limits: config.limits,
      signal,
      report,
    }),
  );
  const { judgement, dataDigest, unreadable, foreign } = evaluation;
  const input: ReportInput = { judgement, dataDigest, unreadable, foreign, model: judgement.model };
  const files = await writeReport(flags.out, input);
  context.print(document(evaluation, input, files), () => summary(input, files));
}

function document(evaluation: Evaluation, input: ReportInput, files: ReportFiles): unknown {
  const { model, metrics, inferMs } = evaluation.judgement;
  const { top1, top5, count } = metrics;
  return {
    top1,
    top5,
    images: count,
    interval95: wilson(Math.round(top1 * count), count),
    unknown: unknownShare(evaluation.judgement) ?? null,
    model: model.name,
    version: model.version,
    digest: model.digest,
    inferMs,
    verdict: verdict(input),
    dataDigest: evaluation.dataDigest,
    unreadable: evaluation.unreadable,
    ...evaluation.passedOver,
    ...(evaluation.foreign && { foreign: evaluation.foreign }),
    report: files.html,
    metrics: files.metrics,
  };
}

function summary(input: ReportInput, files: ReportFiles): string {
  const share = (value: number) => (100 * value).toFixed(1);
  const { answer, because, next } = verdict(input);
  const accuracies = table(
    [{ name: input.model.name, ...input.judgement.metrics }],
    [
      { title: 'model', value: (r) => r.name },
      { title: 'images', value: (r) => r.count, align: 'right' },
      { title: 'top-1 %', value: (r) => share(r.top1), align: 'right' },
      { title: 'top-5 %', value: (r) => share(r.top5), align: 'right' },
    ],
  );
  const words = [
    answer,
    ...because,
    ...unknownLines(input),
    '',
    'What to photograph next:',
    ...next.map((step) => `- ${step}`),
  ];
  return [accuracies, '', ...words.map(printable), '', `Report: ${files.html}`].join('\n');
}
