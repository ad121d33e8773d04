/** What `results accuracy` does: how many predictions of corrected images were right. */
import { openDatabase } from '../../compose.ts';
import { table } from '../../lib/base/report/table.ts';
import { accuracy, type ModelAccuracy } from '../../lib/pipeline/accuracy.ts';
import type { Context } from '../shared/run.ts';
import { timeRange } from '../shared/time-range.ts';
import { type SourceFlags, sourceFilter } from './source.ts';

export interface AccuracyFlags extends SourceFlags {
  since?: string;
  until?: string;
}

export default async function (context: Context, flags: AccuracyFlags): Promise<void> {
  await using database = await openDatabase(context);
  const document = await accuracy(database.pool, context.config.pipeline, {
    ...timeRange(flags),
    ...sourceFilter(flags),
  });
  const { models, days, note } = document;
  context.print(document, () => {
    if (models.every(({ images }) => images === 0)) {
      return 'no prediction has been corrected yet: visionscale results export, or visionscale correct <image-key> <label>';
    }
    const parts = [table(models, columns), ''];
    if (days.length > 0) parts.push(table(days, [{ title: 'day', value: (r) => r.day }, ...columns]), '');
    return [...parts, note].join('\n');
  });
}

const percent = (share: number | null) => (share === null ? '–' : (100 * share).toFixed(1));

const columns = [
  { title: 'model', value: ({ model }: ModelAccuracy) => `${model.name}@${model.version}` },
  { title: 'predicted', value: (r: ModelAccuracy) => r.predicted, align: 'right' as const },
  { title: 'corrected', value: (r: ModelAccuracy) => r.images, align: 'right' as const },
  { title: 'right %', value: (r: ModelAccuracy) => percent(r.top1), align: 'right' as const },
  { title: '95 % certain', value: certain, align: 'right' as const },
  { title: 'top-5 %', value: (r: ModelAccuracy) => percent(r.top5), align: 'right' as const },
];

function certain({ interval95: interval }: ModelAccuracy): string {
  return interval === null ? '–' : `${percent(interval.low)} to ${percent(interval.high)}`;
}
