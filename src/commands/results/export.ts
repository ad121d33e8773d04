/** What `results export` does: writes images that the model was unsure of, or did not know, into folders. */
import { join } from 'node:path';
import { openDatabase, openStore } from '../../compose.ts';
import { printable } from '../../lib/base/printable.ts';
import { Progress } from '../../lib/base/report/progress.ts';
import { counted } from '../../lib/base/report/table.ts';
import { type ExportEvent, exportUnsure, unsortedFolder } from '../../lib/learning/export.ts';
import type { Context } from '../shared/run.ts';
import { timeRange } from '../shared/time-range.ts';
import { type SourceFlags, sourceFilter } from './source.ts';

export interface ExportFlags extends SourceFlags {
  below?: number;
  margin?: number;
  unknown?: boolean;
  category?: string;
  since?: string;
  until?: string;
  limit: number;
}

export default async function (context: Context, dir: string, flags: ExportFlags): Promise<number> {
  const { config, interactive, say, signal } = context;
  const { below, margin, category, limit } = flags;
  const filter = {
    pipeline: config.pipeline,
    limit,
    ...(below !== undefined && { below }),
    ...(margin !== undefined && { margin }),
    ...(flags.unknown === true && { unknown: true }),
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
  const result = await exportUnsure({ pool: database.pool, store, limits, signal, report }, filter, dir);
  progress[Symbol.dispose]();
  for (const { key, reason } of result.skipped) say(`skipped  ${printable(key)}: ${printable(reason)}`);
  context.print(result, () =>
    result.exported === 0
      ? 'nothing to export: no uncorrected prediction matches'
      : flags.unknown === true
        ? `${counted(result.exported, 'image')} in ${join(dir, unsortedFolder)}\n` +
          'Move each into a folder beside it, named after its class: what stays is not recorded. Then:\n' +
          `  visionscale correct --from ${dir} --new`
        : `${counted(result.exported, 'image')} in ${counted(Object.keys(result.folders).length, 'folder')} of ${dir}\n` +
          'Move each into the folder of its true class (a new folder is a new class) and delete useless ones. Then:\n' +
          `  visionscale correct --from ${dir}`,
  );
  if (signal.aborted) say('interrupted; the images exported so far can be used');
  return signal.aborted || result.skipped.length > 0 ? 1 : 0;
}
