/** What `results` does: reads the latest rows and prints them. */
import { stringify } from 'csv-stringify/sync';
import { openDatabase } from '../../compose.ts';
import { table } from '../../lib/base/report/table.ts';
import { latestResults } from '../../lib/systems/database/tables/predictions.ts';
import { parseSince } from '../../lib/systems/message/values.ts';
import type { Context } from '../shared/run.ts';

export interface ResultsFlags {
  key?: string;
  category?: string;
  bin?: string;
  since?: string;
  limit: number;
  csv?: boolean;
}

export default async function (context: Context, options: ResultsFlags): Promise<void> {
  const filter = {
    pipeline: context.config.pipeline,
    limit: options.limit,
    ...(options.key !== undefined && { key: options.key }),
    ...(options.category !== undefined && { category: options.category }),
    ...(options.bin !== undefined && { bin: options.bin }),
    ...(options.since !== undefined && { since: parseSince(options.since) }),
  };
  await using database = await openDatabase(context);
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
  context.print(rows, () =>
    rows.length === 0
      ? 'no predictions found'
      : table(rows, [
          { title: 'time', value: (r) => r.time.toISOString() },
          { title: 'image', value: (r) => r.imageKey },
          { title: 'category', value: (r) => r.category },
          { title: '%', value: (r) => r.confidence.toFixed(1), align: 'right' },
          { title: 'bin', value: (r) => r.bin },
          { title: 'why', value: (r) => (r.binReason === 'mapped' ? '' : r.binReason) },
          { title: 'ms', value: (r) => r.latencyMs?.toFixed(0) ?? null, align: 'right' },
          { title: 'host', value: (r) => r.hostname },
        ]),
  );
}
