/** Lines and documents on stdout. */
import { once } from 'node:events';
import { printableJson, printableLines } from '../../lib/base/printable.ts';

/** Waits while the reader of our output is slower than we are. */
export async function writeLine(text: string): Promise<void> {
  await write(`${printableLines(text)}\n`);
}

/** A line that is a JSON document. */
export async function writeJsonLine(document: unknown): Promise<void> {
  await write(`${jsonText(document)}\n`);
}

/** As short as it can be, and safe to be looked at. */
export function jsonText(document: unknown): string {
  return printableJson(JSON.stringify(document));
}

async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}
