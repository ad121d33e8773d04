/** What `model compare` does: judges models on the same pictures, writes the page, and says which one to take. */
import { dirname } from 'node:path';
import { loadModel, openClassifier } from '../../compose.ts';
import { UsageError } from '../../lib/base/errors.ts';
import { replaceAskedFile } from '../../lib/base/files/disk.ts';
import { makeWritableDirectory, requireWritableFile } from '../../lib/base/files/make-directory.ts';
import { printable } from '../../lib/base/printable.ts';
import { percent, table } from '../../lib/base/report/table.ts';
import { compareModels, type Comparison } from '../../lib/learning/evaluate/compare.ts';
import { type ComparedModel, top1 } from '../../lib/learning/evaluate/comparison.ts';
import { points, recommend } from '../../lib/learning/evaluate/recommend.ts';
import {
  comparisonPage,
  megabytes,
  perSecond,
  rangeOf,
} from '../../lib/learning/evaluate/report/comparison-page.ts';
import { groupPattern } from '../../lib/learning/groups/names.ts';
import type { LoadedModel } from '../../lib/models/format/model.ts';
import { judged } from '../shared/judged.ts';
import type { Context } from '../shared/run.ts';

export interface CompareFlags {
  images: string;
  groupBy?: string;
  limit?: number;
  out: string;
  followLinks?: boolean;
  strict?: boolean;
}

/** Each holds its weights in a process of its own. */
const mostModels = 10;

export default async function (context: Context, references: string[], flags: CompareFlags): Promise<void> {
  const { config, signal } = context;
  if (references.length < 2 || references.length > mostModels) {
    throw new UsageError(
      `model compare takes 2 to ${mostModels} models`,
      'visionscale model compare parts@1 parts@2 --images ./labelled; of one model: visionscale evaluate',
    );
  }
  const groupBy = flags.groupBy === undefined ? undefined : groupPattern(flags.groupBy);
  // What cannot be written is told before anything is judged.
  await makeWritableDirectory(dirname(flags.out));
  await requireWritableFile(flags.out);
  const models: LoadedModel[] = [];
  for (const model of references) models.push(await loadModel({ ...config, model }));
  const comparison = await judged(context, 'compare', (report) =>
    compareModels({
      dir: flags.images,
      models,
      open: (model) => openClassifier({ ...context, config: { ...config, workers: 1 } }, model),
      groupBy,
      limit: flags.limit,
      followLinks: flags.followLinks,
      strict: flags.strict,
      limits: config.limits,
      signal,
      report,
    }),
  );
  await replaceAskedFile(flags.out, await comparisonPage(comparison, new Date().toISOString()));
  context.print(document(comparison, flags.out), () => summary(comparison, flags.out));
}

function document(comparison: Comparison, report: string): unknown {
  const { model, words } = recommend(comparison);
  const { images, groups, classes, leftOut, dataDigest, unreadable, passedOver } = comparison;
  return {
    recommended: model?.name ?? null,
    recommendation: words,
    best: comparison.best.name,
    images,
    groups,
    classes: classes.length,
    leftOut,
    models: comparison.models.map(figures),
    dataDigest,
    unreadable,
    ...passedOver,
    report,
  };
}

function figures(compared: ComparedModel): Record<string, unknown> {
  const { name, judgement, interval95, behind, ms, cpuMs, bytes, unknown } = compared;
  const { model, metrics } = judgement;
  return {
    name,
    model: model.name,
    version: model.version,
    digest: model.digest,
    top1: metrics.top1,
    top5: metrics.top5,
    interval95,
    behind: behind ?? null,
    ms,
    imagesPerCoreSecond: cpuMs === null ? null : 1000 / cpuMs,
    bytes,
    unknown: unknown ?? null,
  };
}

function summary(comparison: Comparison, report: string): string {
  const { models, best } = comparison;
  const accuracies = table(models, [
    { title: 'model', value: ({ name }) => name },
    { title: 'top-1 %', value: (model) => points(top1(model)), align: 'right' },
    { title: '95 %', value: ({ interval95 }) => rangeOf(interval95), align: 'right' },
    {
      title: 'behind',
      value: (model) => (model === best ? 'best' : model.behind ? points(model.behind.mean) : null),
      align: 'right',
    },
    { title: 'ms', value: ({ ms }) => ms.toFixed(1), align: 'right' },
    { title: 'img/s/core', value: perSecond, align: 'right' },
    { title: 'MB', value: megabytes, align: 'right' },
    ...(models.some(({ unknown }) => unknown !== undefined)
      ? [
          {
            title: 'unknown',
            value: ({ unknown }: ComparedModel) => percent(unknown ?? null),
            align: 'right' as const,
          },
        ]
      : []),
  ]);
  return [accuracies, '', printable(recommend(comparison).words), '', `Report: ${report}`].join('\n');
}
