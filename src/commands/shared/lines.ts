/** Lines that several commands print. */
import type { Rejection } from '../../lib/base/files/walk.ts';
import { printable, printableJson } from '../../lib/base/printable.ts';

/** As short as it can be, and safe to be looked at. */
export function jsonText(document: unknown): string {
  return printableJson(JSON.stringify(document));
}

/** A file that is passed over, and why. */
export function rejectedLine({ path, reason }: Rejection): string {
  return `rejected  ${printable(path)}: ${printable(reason)}`;
}
