/** What `results accuracy` does: how many predictions of corrected images were right, and what to photograph next. */
import { openDatabase } from '../../compose.ts';
import { table } from '../../lib/base/report/table.ts';
import { accuracyOfAll, type PredictedAccuracy, weaknesses } from '../../lib/pipeline/accuracy.ts';
import type { NextClass } from '../../lib/pipeline/photograph-next.ts';
import type { Context } from '../shared/run.ts';
import { timeRange } from '../shared/time-range.ts';
import { type SourceFlags, sourceFilter } from './source.ts';

export interface AccuracyFlags extends SourceFlags {
  since?: string;
  until?: string;
}

export default async function (context: Context, flags: AccuracyFlags): Promise<void> {
  await using database = await openDatabase(context);
  const { pool } = database;
  const { pipeline } = context.config;
  const filter = { ...timeRange(flags), ...sourceFilter(flags) };
  const { photographNext } = await weaknesses(pool, pipeline, filter);
  const document = { ...(await accuracyOfAll(pool, pipeline, filter)), photographNext };
  context.print(document, () => {
    const { models, days, note } = document;
    const parts = models.every(({ images }) => images === 0)
      ? [
          'no prediction has been corrected yet: visionscale results export, or visionscale correct <image-key> <label>',
        ]
      : [table(models, columns), '', ...dayLines(days), note];
    const { classes, note: nextNote } = photographNext;
    if (classes.length > 0)
      parts.push('', 'Photograph these next:', table(classes, nextColumns), '', nextNote);
    return parts.join('\n');
  });
}

const percent = (share: number | null) => (share === null ? '–' : (100 * share).toFixed(1));

const columns = [
  { title: 'model', value: ({ model }: PredictedAccuracy) => `${model.name}@${model.version}` },
  { title: 'predicted', value: (r: PredictedAccuracy) => r.predicted, align: 'right' as const },
  { title: 'corrected', value: (r: PredictedAccuracy) => r.images, align: 'right' as const },
  { title: 'right %', value: (r: PredictedAccuracy) => percent(r.top1), align: 'right' as const },
  { title: '95 % certain', value: certain, align: 'right' as const },
  { title: 'top-5 %', value: (r: PredictedAccuracy) => percent(r.top5), align: 'right' as const },
];

function dayLines(days: PredictedAccuracy[]): string[] {
  return days.length > 0 ? [table(days, [{ title: 'day', value: (r) => r.day }, ...columns]), ''] : [];
}

const nextColumns = [
  { title: 'class', value: ({ label }: NextClass) => label },
  { title: 'of images %', value: ({ share }: NextClass) => percent(share), align: 'right' as const },
  { title: 'why', value: ({ why }: NextClass) => why.join('; ') },
];

function certain({ interval95: interval }: PredictedAccuracy): string {
  return interval === null ? '–' : `${percent(interval.low)} to ${percent(interval.high)}`;
}
