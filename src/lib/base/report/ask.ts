/** Asks the person at the terminal a question, on stderr. */
import { createInterface } from 'node:readline/promises';
import { printableLines } from '../printable.ts';

/** Whether there is somebody who can answer; `interactive`: a person is watching stderr. */
export function canAsk({ json, interactive }: { json: boolean; interactive: boolean }): boolean {
  return !json && interactive && process.stdin.isTTY === true;
}

/** Enter alone means `fallback`; the end of input, or Ctrl-C, means no. */
export async function ask(question: string, fallback: boolean, signal: AbortSignal): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const left = new AbortController();
  lines.once('close', () => left.abort()).once('SIGINT', () => left.abort());
  try {
    const choices = fallback ? '[Y/n]' : '[y/N]';
    const answer = await lines.question(`${printableLines(question)} ${choices} `, {
      signal: AbortSignal.any([signal, left.signal]),
    });
    const word = answer.trim().toLowerCase();
    return word === '' ? fallback : word === 'y' || word === 'yes';
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') {
      process.stderr.write('\n');
      return false;
    }
    throw error;
  } finally {
    lines.close();
  }
}
