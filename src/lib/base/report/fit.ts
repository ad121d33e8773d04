/** Tables and sentences for a terminal of so many columns: columns are dropped or cut, words are never broken. */
import { printable } from '../printable.ts';
import { type Column, table } from './table.ts';

export interface FittingColumn<Row> extends Column<Row> {
  /** May go where there is no room: the highest number first. */
  drop?: number;
  /** May be cut to so many characters where dropping is not enough. */
  least?: number;
}

/** As `table`, in lines of at most `width` where that is possible. */
export function fittingTable<Row>(
  rows: readonly Row[],
  columns: readonly FittingColumn<Row>[],
  width: number,
): string {
  let left = [...columns];
  while (widthOf(rows, left) > width) {
    const [last] = left.filter(({ drop }) => drop !== undefined).sort((a, b) => b.drop! - a.drop!);
    if (last === undefined) break;
    left = left.filter((column) => column !== last);
  }
  const over = widthOf(rows, left) - width;
  return table(rows, over > 0 ? cutWidest(rows, left, over) : left);
}

/** Breaks at spaces only; later lines begin with `indent`. */
export function wrapped(text: string, width: number, indent = ''): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line.trim() !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else line = line === '' && lines.length === 0 ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}

function cellWidth<Row>(rows: readonly Row[], { title, value }: FittingColumn<Row>): number {
  return Math.max(title.length, ...rows.map((row) => printable(value(row) ?? '–').length));
}

function widthOf<Row>(rows: readonly Row[], columns: readonly FittingColumn<Row>[]): number {
  return columns.reduce((sum, column) => sum + cellWidth(rows, column) + 2, -2);
}

function cutWidest<Row>(
  rows: readonly Row[],
  columns: readonly FittingColumn<Row>[],
  over: number,
): FittingColumn<Row>[] {
  const [widest] = columns
    .filter(({ least }) => least !== undefined)
    .sort((a, b) => cellWidth(rows, b) - cellWidth(rows, a));
  if (widest === undefined) return [...columns];
  const room = Math.max(widest.least!, cellWidth(rows, widest) - over);
  const value = (row: Row) => {
    const whole = widest.value(row);
    const text = printable(whole ?? '–');
    return text.length > room ? `${text.slice(0, room - 1)}…` : whole;
  };
  return columns.map((column) => (column === widest ? { ...widest, value } : column));
}
