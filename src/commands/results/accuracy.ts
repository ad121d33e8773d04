/** What `results accuracy` does: how many predictions of corrected images were right. */
import { openDatabase } from '../../compose.ts';
import { table } from '../../lib/base/report/table.ts';
import { wilson } from '../../lib/learning/evaluate/metrics.ts';
import { type AccuracyRow, measuredAccuracy } from '../../lib/systems/database/tables/corrections.ts';
import type { Context } from '../shared/run.ts';
import { timeRange } from '../shared/time-range.ts';
import { type SourceFlags, sourceFilter } from './source.ts';

export interface AccuracyFlags extends SourceFlags {
  since?: string;
  until?: string;
}

export default async function (context: Context, flags: AccuracyFlags): Promise<void> {
  await using database = await openDatabase(context);
  const rows = await measuredAccuracy(database.pool, context.config.pipeline, {
    ...timeRange(flags),
    ...sourceFilter(flags),
  });
  const models = rows.filter(({ day }) => day === null);
  const days = rows.filter(({ day, images }) => day !== null && images > 0);
  const document = { models: models.map(withShares), days: days.map(withShares), note };
  context.print(document, () => {
    if (models.every(({ images }) => images === 0)) {
      return 'no prediction has been corrected yet: visionscale results export, or visionscale correct <image-key> <label>';
    }
    const parts = [table(models, columns), ''];
    if (days.length > 0) parts.push(table(days, [{ title: 'day', value: (r) => r.day }, ...columns]), '');
    return [...parts, note].join('\n');
  });
}

/** Whoever corrects what the model was unsure of measures it where it is worst. */
const note =
  'Measured on corrected images only. If you chose them because the model was unsure, it is right more often than this.';

function withShares(row: AccuracyRow) {
  const { images, right, amongFive, ...rest } = row;
  const measured = images > 0;
  return {
    ...rest,
    images,
    right,
    top1: measured ? right / images : null,
    top5: measured ? amongFive / images : null,
    interval95: measured ? wilson(right, images) : null,
  };
}

const percent = (share: number | null) => (share === null ? '–' : (100 * share).toFixed(1));

const columns = [
  { title: 'model', value: ({ model }: AccuracyRow) => `${model.name}@${model.version}` },
  { title: 'predicted', value: (r: AccuracyRow) => r.predicted, align: 'right' as const },
  { title: 'corrected', value: (r: AccuracyRow) => r.images, align: 'right' as const },
  { title: 'right %', value: (r: AccuracyRow) => percent(withShares(r).top1), align: 'right' as const },
  { title: '95 % certain', value: certain, align: 'right' as const },
  { title: 'top-5 %', value: (r: AccuracyRow) => percent(withShares(r).top5), align: 'right' as const },
];

function certain(row: AccuracyRow): string {
  const interval = withShares(row).interval95;
  return interval === null ? '–' : `${percent(interval.low)} to ${percent(interval.high)}`;
}
