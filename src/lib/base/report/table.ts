/** Plain aligned tables, wrapped sentences, shares, counts and sizes for people. */
import { printable } from '../printable.ts';
import { type Style, styled, unmarked } from './style.ts';

export interface Column<Row> {
  title: string;
  value: (row: Row) => string | number | null;
  align?: 'left' | 'right';
  style?: (row: Row) => Style | undefined;
  /** In a table that is too wide the column is left out, those with the highest number first. */
  drop?: number;
  /** Its texts are cut: at the end, or in the middle where the end tells more. */
  cut?: 'end' | 'middle';
}

const gap = 2;
/** Texts are cut to this before a column is dropped. */
const readableWidth = 32;
/** No cell is cut to less. */
const leastWidth = 12;

/**
 * One line a row below a line of titles; text from outside cannot steer the terminal. With `width` (of a terminal) columns
 * give way until a line fits, as far as they may.
 */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], width = Infinity): string {
  let shown = columns.map((column) => measured(rows, column));
  const over = () => shown.reduce((sum, { size }) => sum + size + gap, -gap) - width;
  narrow(shown, over, readableWidth);
  const droppable = shown
    .filter(({ column }) => column.drop !== undefined)
    .sort((a, b) => b.column.drop! - a.column.drop!);
  for (const first of droppable) {
    if (over() <= 0) break;
    shown = shown.filter((one) => one !== first);
  }
  narrow(shown, over, leastWidth);
  const line = (cell: (one: Shown<Row>) => string) => shown.map(cell).join(' '.repeat(gap)).trimEnd();
  return [
    line((one) => padded(one, one.column.title)),
    ...rows.map((row, i) =>
      line((one) => {
        const style = one.column.style?.(row);
        const text = cutTo(one.cells[i]!, one.size, one.column.cut);
        return style === undefined
          ? padded(one, text)
          : padded(one, text).replace(text, () => styled(style, text));
      }),
    ),
  ].join('\n');
}

/** Cuts columns that may be cut, the widest first, until all fit or none is wider than `least`. */
function narrow<Row>(shown: readonly Shown<Row>[], over: () => number, least: number): void {
  for (let left = over(); left > 0; left = over()) {
    const [widest, next] = shown
      .filter(({ column, size }) => column.cut !== undefined && size > least)
      .sort((a, b) => b.size - a.size);
    if (widest === undefined) return;
    widest.size = Math.max(widest.size - left, Math.min(next?.size ?? 0, widest.size - 1), least);
  }
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

/** Each line of prose broken at spaces for the terminal that shows it; elsewhere, and where a line is indented, as it is. */
export function fitted(text: string, { columns = Infinity }: { columns?: number }, indent = '  '): string {
  return text.replaceAll(/^\S.*$/gm, (line) =>
    unmarked(line).length <= columns ? line : wrapped(line, columns, indent),
  );
}

/** As `fitted`, `by` places from the left. */
export function indented(text: string, by: number, { columns = Infinity }: { columns?: number }): string {
  return fitted(text, { columns: columns - by }, '').replaceAll(/^(?=.)/gm, ' '.repeat(by));
}

/** `94.2 %`; of a share of 1; `–` where nothing is known. */
export function percent(share: number | null, digits = 1): string {
  return share === null || !Number.isFinite(share) ? '–' : `${(100 * share).toFixed(digits)} %`;
}

/** `1 dead letter`, `2 dead letters`; of nouns whose plural is not just an s, it has to be given. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** `1.2 MB`: powers of 1000, as disks and networks are sold. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let power = 0;
  for (let rest = bytes; rest >= 1000 && power < units.length - 1; rest /= 1000) power++;
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${units[power]}`;
}
