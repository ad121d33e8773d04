/** What `results`, `results export` and `results accuracy` do. */
import { stringify } from 'csv-stringify/sync';
import type { Pool } from 'pg';
import { openDatabase, openStore } from '../../compose.ts';
import { pause } from '../../lib/base/flow/waiting.ts';
import { printable } from '../../lib/base/printable.ts';
import { Progress } from '../../lib/base/report/progress.ts';
import { type Column, counted, table } from '../../lib/base/report/table.ts';
import { wilson } from '../../lib/learning/evaluate/metrics.ts';
import type { ExportEvent } from '../../lib/learning/export.ts';
import { type AccuracyRow, measuredAccuracy } from '../../lib/systems/database/tables/corrections.ts';
import { latestLetterOf } from '../../lib/systems/database/tables/dead-letters.ts';
import {
  latestResults,
  type PredictionFilter,
  type ResultRow,
} from '../../lib/systems/database/tables/predictions.ts';
import { type Result, resultsAfter, streamEnd } from '../../lib/systems/database/tables/results.ts';
import type { Context } from '../shared/run.ts';
import { timeRange } from '../shared/time-range.ts';

/** Where predictions come from. */
export interface SourceFlags {
  model?: string;
  belt?: string;
  consumer?: string;
}

function sourceFilter({ model, belt, consumer }: SourceFlags): SourceFlags {
  return {
    ...(model !== undefined && { model }),
    ...(belt !== undefined && { belt }),
    ...(consumer !== undefined && { consumer }),
  };
}

export interface ResultsFlags extends SourceFlags {
  key?: string;
  category?: string;
  bin?: string;
  since?: string;
  limit: number;
  csv?: boolean;
  follow?: boolean;
}

export async function list(context: Context, options: ResultsFlags): Promise<void> {
  const filter = {
    pipeline: context.config.pipeline,
    limit: options.limit,
    ...(options.key !== undefined && { key: options.key }),
    ...(options.category !== undefined && { category: options.category }),
    ...(options.bin !== undefined && { bin: options.bin }),
    ...timeRange(options),
    ...sourceFilter(options),
  };
  await using database = await openDatabase(context);
  if (options.follow) {
    await follow(context, database.pool, filter);
    return;
  }
  const rows = await latestResults(database.pool, filter);
  if (options.csv) {
    const columns = [
      'imageKey',
      'category',
      'confidence',
      'hostname',
      'time',
      'model',
      'latencyMs',
      'bin',
      'binReason',
    ];
    process.stdout.write(
      stringify(rows, {
        header: true,
        columns,
        escape_formulas: true,
        cast: { date: (d) => d.toISOString() },
      }),
    );
    return;
  }
  if (rows.length === 0) {
    const { key } = options;
    const why = key === undefined ? null : await whyNone(database.pool, filter.pipeline, key);
    context.print(rows, () => why ?? 'no predictions found');
    return;
  }
  const sorted = rows.some(({ bin }) => bin !== null);
  const bins: Column<ResultRow>[] = [
    { title: 'bin', value: (r) => r.bin },
    {
      title: 'why',
      value: (r) => (r.binReason === 'mapped' ? '' : r.binReason),
      style: () => 'warning',
      drop: 2,
    },
  ];
  context.print(rows, () =>
    table(
      rows,
      [
        { title: 'time', value: (r) => r.time.toISOString(), drop: 1 },
        { title: 'image', value: (r) => r.imageKey, cut: 'middle' },
        { title: 'category', value: (r) => r.category, cut: 'end' },
        { title: '%', value: (r) => r.confidence.toFixed(1), align: 'right' },
        ...(sorted ? bins : []),
        { title: 'ms', value: (r) => r.latencyMs?.toFixed(0) ?? null, align: 'right', drop: 3 },
        { title: 'host', value: (r) => r.hostname, drop: 4 },
      ],
      process.stdout.columns,
    ),
  );
}

/** An image that became a dead letter has no prediction, and somebody wants to know why. */
async function whyNone(pool: Pool, pipeline: string, key: string): Promise<string> {
  const letter = await latestLetterOf(pool, pipeline, key);
  if (letter === null) return `no predictions of ${printable(key)} found`;
  const { id, state, code, message } = letter;
  return printable(
    `${key} has no prediction: it is dead letter ${id} (${state}, ${code}: ${message}). All about it: visionscale dead-letters show ${id}`,
  );
}

/** How often new rows are looked for, in milliseconds, and how many at a time. */
const followMs = 500;
const followPage = 500;

/** Every prediction from now on, a line each, until Ctrl-C; of --json a document a line. */
async function follow(context: Context, pool: Pool, filter: PredictionFilter): Promise<void> {
  const { json, signal } = context;
  let place = await streamEnd(pool);
  while (!signal.aborted) {
    const { results, upTo } = await resultsAfter(pool, filter.pipeline, place, followPage);
    place = upTo;
    for (const { result } of results) {
      if (!isMeant(result, filter)) continue;
      process.stdout.write(`${json ? JSON.stringify(result) : printable(followLine(result))}\n`);
    }
    if (results.length < followPage) await pause(followMs, signal);
  }
}

function isMeant(
  { imageKey, category, bin, belt, hostname, model }: Result,
  filter: PredictionFilter,
): boolean {
  const holds = (wanted: string | undefined, ...found: (string | null)[]) =>
    wanted === undefined || found.includes(wanted);
  return (
    holds(filter.key, imageKey) &&
    holds(filter.category, category) &&
    holds(filter.bin, bin) &&
    holds(filter.belt, belt) &&
    holds(filter.consumer, hostname) &&
    holds(filter.model, model.name, `${model.name}@${model.version}`)
  );
}

function followLine({
  processedAt,
  imageKey,
  category,
  confidence,
  bin,
  binReason,
  latencyMs,
}: Result): string {
  const where = bin === null ? '' : `  ${bin}${binReason === 'mapped' ? '' : ` (${binReason})`}`;
  const took = latencyMs === null ? '' : `  ${latencyMs.toFixed(0)} ms`;
  return `${processedAt}  ${imageKey}  ${category} ${confidence.toFixed(1)} %${where}${took}`;
}

export interface ExportFlags extends SourceFlags {
  below?: number;
  margin?: number;
  category?: string;
  since?: string;
  until?: string;
  limit: number;
}

export async function exportUnsureImages(context: Context, dir: string, flags: ExportFlags): Promise<number> {
  const { config, interactive, say, signal } = context;
  const { below, margin, category, limit } = flags;
  const filter = {
    pipeline: config.pipeline,
    limit,
    ...(below !== undefined && { below }),
    ...(margin !== undefined && { margin }),
    ...(category !== undefined && { category }),
    ...timeRange(flags),
    ...sourceFilter(flags),
  };
  await using database = await openDatabase(context);
  await using store = await openStore(context);
  using progress = new Progress({ label: 'export', unit: 'images', interactive, line: say });
  const report = (event: ExportEvent) => {
    if (event.kind === 'selected') progress.expect(event.images);
    else progress.advance(1, event.kind === 'exported' ? event.bytes : 0);
  };
  const { limits } = config;
  // Neither `results` nor `results accuracy` needs it.
  const { exportUnsure } = await import('../../lib/learning/export.ts');
  const result = await exportUnsure({ pool: database.pool, store, limits, signal, report }, filter, dir);
  progress[Symbol.dispose]();
  for (const { key, reason } of result.skipped) say(`skipped  ${printable(key)}: ${printable(reason)}`);
  context.print(result, () =>
    result.exported === 0
      ? 'nothing to export: no prediction was selected that has not been corrected already'
      : `${counted(result.exported, 'image')} in ${counted(Object.keys(result.folders).length, 'folder')} of ${dir}\n` +
        'Move each into the folder of what it is (a new folder is a new class) and delete what is of no use. Then:\n' +
        `  visionscale correct --from ${dir}`,
  );
  if (signal.aborted) say('interrupted; what was exported can be used');
  return signal.aborted || result.skipped.length > 0 ? 1 : 0;
}

export interface AccuracyFlags extends SourceFlags {
  since?: string;
  until?: string;
}

export async function accuracy(context: Context, flags: AccuracyFlags): Promise<void> {
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
  'Measured on corrected images alone. Where those were chosen because the model was unsure of them, it is right more often than this says.';

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
  { title: 'model', value: (r: AccuracyRow) => `${r.model}@${r.modelVersion}` },
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
