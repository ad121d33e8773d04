/** Lines that several commands print. */
import type { Rejection } from '../../lib/base/files/walk.ts';
import { printable, printableJson } from '../../lib/base/printable.ts';

/** As short as it can be, and safe to be looked at. */
export function jsonText(document: unknown): string {
  return printableJson(JSON.stringify(document));
}

/** What --json has of an error, as one line on stderr. */
export function tellJsonError(code: string, message: string, hint?: string, stack?: string): void {
  const error = { code, message, hint: hint ?? null, ...(stack !== undefined && { stack }) };
  process.stderr.write(`${jsonText({ error })}\n`);
}

/** A file that is passed over, and why. */
export function rejectedLine({ path, reason }: Rejection): string {
  return `rejected  ${printable(path)}: ${printable(reason)}`;
}
