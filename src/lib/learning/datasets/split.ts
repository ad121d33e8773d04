/** Divides examples into those that train and those that judge: the same share of every class, the same at every run. */
import { createHash } from 'node:crypto';
import { invalid, list, type Example } from './dataset.ts';

export interface Split {
  train: Example[];
  held: Example[];
}

/**
 * Holds back `share` (0 to 1) of each class, at least one and never all of it. Who is held back depends on its content and
 * the seed alone, so that images that join later hardly change it, and copies of one image stay together. Throws a
 * VisionscaleError `dataset_invalid` naming (by `labels`) the classes with fewer than two different images.
 */
export function splitStratified(
  examples: readonly Example[],
  share: number,
  seed: number,
  labels: readonly string[] = [],
): Split {
  const classes = new Map<number, Map<string, Example[]>>();
  for (const example of examples) {
    const contents = classes.get(example.label) ?? new Map<string, Example[]>();
    classes.set(example.label, contents);
    contents.set(example.sha256, [...(contents.get(example.sha256) ?? []), example]);
  }
  const single = [...classes].filter(([, contents]) => contents.size < 2);
  if (single.length > 0) {
    const names = single.map(([label]) => labels[label] ?? String(label));
    throw invalid(
      `too few different images to hold one back: ${list(names)}`,
      'Each class needs two different images at the least (20 and more to be of use), or give --val <dir>.',
    );
  }
  const held = new Set<string>();
  for (const [label, contents] of classes) {
    const places = new Map([...contents.keys()].map((sha256) => [place(sha256, seed), sha256]));
    const order = [...places.keys()].sort();
    const count = Math.min(Math.max(1, Math.round(share * order.length)), order.length - 1);
    for (const at of order.slice(0, count)) held.add(key({ label, sha256: places.get(at)! }));
  }
  return {
    train: examples.filter((example) => !held.has(key(example))),
    held: examples.filter((example) => held.has(key(example))),
  };
}

/** One content under two labels counts twice: it is a mistake for the report to name, and must empty no class. */
function key({ label, sha256 }: Pick<Example, 'label' | 'sha256'>): string {
  return `${label} ${sha256}`;
}

/** Where an image stands in the seed's order. */
function place(sha256: string, seed: number): string {
  return createHash('sha256').update(`${seed} ${sha256}`).digest('hex');
}
