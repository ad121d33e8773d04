/** Lines that several commands print. */
import { isUnknown } from '../../lib/base/classification.ts';
import type { Rejection } from '../../lib/base/files/walk.ts';
import { printable, printableJson } from '../../lib/base/printable.ts';
import type { Column } from '../../lib/base/report/table.ts';

/** As short as it can be, and safe to be looked at. */
export function jsonText(document: unknown): string {
  return printableJson(JSON.stringify(document));
}

/** What --json has of an error, as one line on stderr. */
export function tellJsonError(code: string, message: string, hint?: string, stack?: string): void {
  const error = { code, message, hint: hint ?? null, ...(stack !== undefined && { stack }) };
  process.stderr.write(`${jsonText({ error })}\n`);
}

/** A column that marks what is like no class, where there is such a row. */
export function unknownColumn<Row extends { novelty: number | null }>(rows: readonly Row[]): Column<Row>[] {
  if (!rows.some(({ novelty }) => isUnknown(novelty))) return [];
  const value = ({ novelty }: Row) => (isUnknown(novelty) ? `unknown (${novelty!.toFixed(1)})` : '');
  return [{ title: 'novelty', value, style: () => 'warning' }];
}

/** A file that is passed over, and why. */
export function rejectedLine({ path, reason }: Rejection): string {
  return `rejected  ${printable(path)}: ${printable(reason)}`;
}
