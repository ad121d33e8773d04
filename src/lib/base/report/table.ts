/** Plain aligned tables and shares for people. */
import { printable } from '../printable.ts';

export interface Column<Row> {
  title: string;
  value: (row: Row) => string | number | null;
  align?: 'left' | 'right';
}

/** One line a row below a line of titles; text from outside cannot steer the terminal. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = [
    columns.map((c) => c.title),
    ...rows.map((row) => columns.map((c) => printable(c.value(row) ?? '–'))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  return cells
    .map((line) =>
      line
        .map((cell, i) =>
          columns[i]!.align === 'right' ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `94.2 %`; of a share of 1; `–` where nothing is known. */
export function percent(share: number | null, digits = 1): string {
  return share === null || !Number.isFinite(share) ? '–' : `${(100 * share).toFixed(digits)} %`;
}
