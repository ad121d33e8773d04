/** A line on stdout. */
import { once } from 'node:events';

/** Waits while the reader of our output is slower than we are. */
export async function writeLine(text: string): Promise<void> {
  if (!process.stdout.write(`${text}\n`)) await once(process.stdout, 'drain');
}
