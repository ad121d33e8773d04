/** What `results` does: prints the latest predictions, or with --follow each new one. */
import { stringify } from 'csv-stringify/sync';
import type { Pool } from 'pg';
import { openDatabase } from '../../compose.ts';
import { isUnknown } from '../../lib/base/classification.ts';
import { requireWritableFile } from '../../lib/base/files/make-directory.ts';
import { printable } from '../../lib/base/printable.ts';
import { type Column, counted, table } from '../../lib/base/report/table.ts';
import { latestLetterOf } from '../../lib/systems/database/tables/dead-letters.ts';
import {
  latestResults,
  type PredictionFilter,
  type ResultRow,
} from '../../lib/systems/database/tables/predictions.ts';
import { type Result, resultsAfter } from '../../lib/systems/database/tables/results.ts';
import { follow } from '../shared/follow.ts';
import { unknownColumn } from '../shared/lines.ts';
import type { Context } from '../shared/run.ts';
import { timeRange } from '../shared/time-range.ts';
import { fileColumns, flattened, writeParquet } from './file.ts';
import { type SourceFlags, sourceFilter } from './source.ts';

export interface ResultsFlags extends SourceFlags {
  key?: string;
  category?: string;
  bin?: string;
  unknown?: boolean;
  since?: string;
  limit: number;
  csv?: boolean;
  parquet?: string;
  follow?: boolean;
}

export default async function (context: Context, options: ResultsFlags): Promise<void> {
  const filter = {
    pipeline: context.config.pipeline,
    limit: options.limit,
    ...(options.key !== undefined && { key: options.key }),
    ...(options.category !== undefined && { category: options.category }),
    ...(options.bin !== undefined && { bin: options.bin }),
    ...(options.unknown === true && { unknown: true }),
    ...timeRange(options),
    ...sourceFilter(options),
  };
  if (options.parquet !== undefined) await requireWritableFile(options.parquet);
  await using database = await openDatabase(context);
  if (options.follow) {
    await follow<{ result: Result }>(context, database.pool, {
      after: (place, limit) => resultsAfter(database.pool, filter.pipeline, place, limit),
      shown: ({ result }) =>
        isMeant(result, filter) ? { document: result, line: followLine(result) } : null,
    });
    return;
  }
  const rows = await latestResults(database.pool, filter);
  if (options.parquet !== undefined) {
    await writeParquet(options.parquet, rows);
    const written = { file: options.parquet, rows: rows.length };
    context.print(written, () => `${counted(written.rows, 'prediction')} in ${written.file}`);
    return;
  }
  if (options.csv) {
    const columns = Object.keys(fileColumns);
    process.stdout.write(
      stringify(rows.map(flattened), {
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
        { title: 'time', value: (r) => r.processedAt, drop: 1 },
        { title: 'image', value: (r) => r.imageKey, cut: 'middle' },
        { title: 'category', value: (r) => r.category, cut: 'end' },
        { title: '%', value: (r) => r.confidence.toFixed(1), align: 'right' },
        ...unknownColumn(rows),
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
    `${key} has no prediction: it is dead letter ${id} (${state}, ${code}: ${message}). Details: visionscale dead-letters show ${id}`,
  );
}

function isMeant(
  { imageKey, category, novelty, bin, belt, hostname, model }: Result,
  filter: PredictionFilter,
): boolean {
  const holds = (wanted: string | undefined, ...found: (string | null)[]) =>
    wanted === undefined || found.includes(wanted);
  return (
    holds(filter.key, imageKey) &&
    holds(filter.category, category) &&
    holds(filter.bin, bin) &&
    (filter.unknown !== true || isUnknown(novelty)) &&
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
  novelty,
  bin,
  binReason,
  latencyMs,
}: Result): string {
  const where = bin === null ? '' : `  ${bin}${binReason === 'mapped' ? '' : ` (${binReason})`}`;
  const unlike = isUnknown(novelty) && binReason !== 'unknown' ? '  unknown' : '';
  const took = latencyMs === null ? '' : `  ${latencyMs.toFixed(0)} ms`;
  return `${processedAt}  ${imageKey}  ${category} ${confidence.toFixed(1)} %${unlike}${where}${took}`;
}
