/** What makes two sets of labelled images the same: their contents and labels, wherever they lie. */
import { createHash } from 'node:crypto';
import type { Example } from './dataset.ts';

/** `sha256:` and 64 hex digits. */
export function dataDigest(labels: readonly string[], examples: readonly Example[]): string {
  const lines = examples.map(({ sha256, label }) => `${sha256} ${labels[label]}\n`).sort();
  const hash = createHash('sha256');
  for (const line of lines) hash.update(line);
  return `sha256:${hash.digest('hex')}`;
}
