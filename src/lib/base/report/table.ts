/** Plain aligned tables, shares and counts for people. */
import { printable } from '../printable.ts';
import { type Style, styled } from './style.ts';

export interface Column<Row> {
  title: string;
  value: (row: Row) => string | number | null;
  align?: 'left' | 'right';
  style?: (row: Row) => Style | undefined;
  /** What gives way in a table that is too wide: the column goes, those with the highest number first. */
  drop?: number;
  /** Or, once those are gone, the text of the column is cut: its end, or its middle where the end tells more. */
  cut?: 'end' | 'middle';
}

const gap = 2;
/** No cell is cut to less. */
const leastWidth = 12;

/**
 * One line a row below a line of titles; text from outside cannot steer the terminal. With `width` (of a terminal) columns
 * give way until a line fits, as far as they may.
 */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], width = Infinity): string {
  let shown = columns.map((column) => measured(rows, column));
  const over = () => shown.reduce((sum, { size }) => sum + size + gap, -gap) - width;
  const droppable = shown
    .filter(({ column }) => column.drop !== undefined)
    .sort((a, b) => b.column.drop! - a.column.drop!);
  for (const first of droppable) {
    if (over() <= 0) break;
    shown = shown.filter((one) => one !== first);
  }
  // The widest gives most.
  for (let left = over(); left > 0 && left < Infinity; left = over()) {
    const [widest, next] = shown
      .filter(({ column, size }) => column.cut !== undefined && size > leastWidth)
      .sort((a, b) => b.size - a.size);
    if (widest === undefined) break;
    widest.size = Math.max(widest.size - left, Math.min(next?.size ?? 0, widest.size - 1), leastWidth);
  }
  const line = (cell: (one: Shown<Row>) => string) => shown.map(cell).join(' '.repeat(gap)).trimEnd();
  return [
    line((one) => padded(one, one.column.title)),
    ...rows.map((row, i) =>
      line((one) => {
        const style = one.column.style?.(row);
        const text = cutTo(one.cells[i]!, one.size, one.column.cut);
        return style === undefined ? padded(one, text) : padded(one, text).replace(text, styled(style, text));
      }),
    ),
  ].join('\n');
}

interface Shown<Row> {
  column: Column<Row>;
  cells: string[];
  size: number;
}

function measured<Row>(rows: readonly Row[], column: Column<Row>): Shown<Row> {
  const cells = rows.map((row) => printable(column.value(row) ?? '–'));
  return { column, cells, size: Math.max(column.title.length, ...cells.map((cell) => cell.length)) };
}

function padded<Row>({ column, size }: Shown<Row>, text: string): string {
  return column.align === 'right' ? text.padStart(size) : text.padEnd(size);
}

/** With an ellipsis for what is left out. */
function cutTo(text: string, size: number, where: 'end' | 'middle' = 'end'): string {
  if (text.length <= size) return text;
  if (where === 'end') return `${text.slice(0, size - 1).trimEnd()}…`;
  const tail = Math.ceil((size - 1) / 2);
  return `${text.slice(0, size - 1 - tail)}…${text.slice(-tail)}`;
}

/** `94.2 %`; of a share of 1; `–` where nothing is known. */
export function percent(share: number | null, digits = 1): string {
  return share === null || !Number.isFinite(share) ? '–' : `${(100 * share).toFixed(digits)} %`;
}

/** `1 dead letter`, `2 dead letters`; of nouns whose plural is not just an s, it has to be given. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}
