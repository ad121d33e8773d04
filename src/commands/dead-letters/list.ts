/** What `dead-letters list` does: prints letters page by page, however many there are. */
import { openDatabase } from '../../compose.ts';
import { table } from '../../lib/base/report/table.ts';
import {
  letterPage,
  type LetterRow,
  type LetterState,
} from '../../lib/systems/database/tables/dead-letters.ts';
import { jsonText } from '../shared/lines.ts';
import type { Context } from '../shared/run.ts';
import { letterSelection, requireCode, type SelectionFlags } from './selection.ts';

export interface ListFlags extends SelectionFlags {
  state: LetterState | 'all';
  limit: number;
}

/** Letters in memory at a time. */
const pageSize = 500;
/** Of a message in the table; `show` and --json have it whole. */
const reasonLength = 100;

export default async function (context: Context, ids: number[], options: ListFlags): Promise<void> {
  const selection = letterSelection(context.config.pipeline, ids, options);
  if (options.state !== 'all') selection.state = options.state;
  await using database = await openDatabase(context);
  await requireCode(database.pool, selection);
  let listed = 0;
  for (let before = Number.MAX_SAFE_INTEGER; listed < options.limit && !context.signal.aborted;) {
    const size = Math.min(pageSize, options.limit - listed);
    const page = await letterPage(database.pool, selection, before, size);
    const last = page.at(-1);
    if (last === undefined) break;
    // One JSON array, written in parts.
    const json = () => `${listed === 0 ? '[' : ','}${page.map(jsonText).join(',\n')}`;
    await write(context.json ? json() : `${asTable(page)}\n`);
    listed += page.length;
    before = last.id;
  }
  if (context.json) await write(listed === 0 ? '[]\n' : ']\n');
  else if (listed === 0) await write('no dead letters found\n');
}

function asTable(rows: readonly LetterRow[]): string {
  return table(rows, [
    { title: 'id', value: (r) => r.id, align: 'right' },
    { title: 'last', value: (r) => r.lastAt.toISOString() },
    { title: 'state', value: (r) => r.state },
    { title: 'tried', value: (r) => r.attempts, align: 'right' },
    { title: 'code', value: (r) => r.code },
    { title: 'image', value: (r) => r.imageKey },
    { title: 'message', value: (r) => `${r.topic}/${r.partition}/${r.offset}` },
    { title: 'reason', value: (r) => shortened(r.message) },
  ]);
}

function shortened(text: string): string {
  return text.length <= reasonLength ? text : `${text.slice(0, reasonLength - 1)}…`;
}

/** Waits where the reader is slower. */
async function write(text: string): Promise<void> {
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
}
