/** What `dead-letters list` does: prints letters page by page, however many there are, or with --follow each new one. */
import { openDatabase } from '../../compose.ts';
import { UsageError } from '../../lib/base/errors.ts';
import { shownOn, type Style } from '../../lib/base/report/style.ts';
import { type Column, table } from '../../lib/base/report/table.ts';
import {
  letterPage,
  type LetterRow,
  lettersAfter,
  type LetterState,
  type Selection,
} from '../../lib/systems/database/tables/dead-letters.ts';
import { follow } from '../shared/follow.ts';
import { jsonText } from '../shared/lines.ts';
import type { Context } from '../shared/run.ts';
import { letterSelection, requireCode, type SelectionFlags } from './selection.ts';

export interface ListFlags extends SelectionFlags {
  state: LetterState | 'all';
  limit: number;
  follow?: boolean;
}

/** Letters in memory at a time. */
const pageSize = 500;
/** Of a message in the table; `show` and --json have it whole. */
const reasonLength = 100;

export default async function (context: Context, ids: number[], options: ListFlags): Promise<void> {
  const selection = letterSelection(context.config.pipeline, ids, options);
  if (options.follow) return followLetters(context, selection);
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
    await write(context.json ? json() : `${shownOn(process.stdout, asTable(page))}\n`);
    listed += page.length;
    before = last.id;
  }
  if (context.json) await write(listed === 0 ? '[]\n' : ']\n');
  else if (listed === 0) await write('no dead letters found\n');
}

/** Each letter once, when it is new: what fails again after a retry is no news. */
async function followLetters(context: Context, selection: Selection): Promise<void> {
  if (selection.ids !== undefined) throw new UsageError('--follow shows new dead letters: it takes no ids');
  await using database = await openDatabase(context);
  await follow<LetterRow>(context, database.pool, {
    after: (place, limit) => lettersAfter(database.pool, selection, place, limit),
    shown: ({ place: _, ...letter }) => ({
      document: letter,
      line: followLine(letter),
    }),
  });
}

function followLine({ id, lastAt, code, imageKey, message, topic, partition, offset }: LetterRow): string {
  const what = imageKey ?? `message ${topic}/${partition}/${offset}`;
  return `${lastAt.toISOString()}  dead letter ${id}  ${code}  ${what}  ${shortened(message)}`;
}

const styles: Record<LetterState, Style | undefined> = { open: 'error', resolved: 'ok', dropped: 'warning' };

function asTable(rows: readonly LetterRow[]): string {
  const columns: Column<LetterRow>[] = [
    { title: 'id', value: (r) => r.id, align: 'right' },
    { title: 'last', value: (r) => r.lastAt.toISOString(), drop: 2 },
    { title: 'state', value: (r) => r.state, style: (r) => styles[r.state] },
    { title: 'tried', value: (r) => r.attempts, align: 'right', drop: 1 },
    { title: 'code', value: (r) => r.code },
    { title: 'image', value: (r) => r.imageKey, cut: 'middle' },
    { title: 'message', value: (r) => `${r.topic}/${r.partition}/${r.offset}`, drop: 3 },
    { title: 'reason', value: (r) => shortened(r.message), cut: 'end' },
  ];
  return table(rows, columns, process.stdout.columns);
}

function shortened(text: string): string {
  return text.length <= reasonLength ? text : `${text.slice(0, reasonLength - 1)}…`;
}

/** Waits where the reader is slower. */
async function write(text: string): Promise<void> {
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
}
