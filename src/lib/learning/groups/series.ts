/** Images that belong together for sure: copies, bursts of a camera, folders and names that the user gave them. */
import type { Example } from '../datasets/dataset.ts';
import { alikePairs, levelsBetween, type Fingerprint } from '../evaluate/duplicates.ts';
import { numbered, type GroupOf } from './names.ts';

export interface Series {
  /** Indexes of examples. */
  images: number[];
  /** The user's own group, by folder or name: nothing is to be added to it for being alike. */
  isNamed: boolean;
}

/** Photographs so close in time are one burst. */
const burstMs = 10_000;
/** Mean levels of 256 by which pictures with consecutive numbers may differ. */
const burstLevels = 16;

/**
 * Every example is in one series. Only what the pattern names may span classes: one day, or one shop, of all of them.
 * `prints` are those of the examples; `pattern` is told of paths below the class folder.
 */
export function seriesOf(
  examples: readonly Example[],
  prints: readonly (Fingerprint | undefined)[],
  pattern?: GroupOf,
): Series[] {
  const sets = new DisjointSets(examples.length);
  const byClass = groupBy(examples.keys(), (i) => examples[i]!.label);
  const keys = namedKeys(examples, [...byClass.values()], pattern);
  const named = [...examples.keys()].filter((i) => keys[i] !== undefined);
  for (const same of groupBy(named, (i) => keys[i]!).values()) sets.join(same);
  for (const images of byClass.values()) {
    for (const same of groupBy(images, (i) => examples[i]!.sha256).values()) sets.join(same);
    const others = images.filter((i) => keys[i] === undefined);
    for (const burst of bursts(examples, others, prints)) sets.join(burst);
  }
  for (const [a, b] of alikePairs(prints)) if (examples[a]!.label === examples[b]!.label) sets.join([a, b]);
  return [...groupBy(examples.keys(), (i) => sets.find(i)).values()].map((images) => ({
    images,
    isNamed: images.some((i) => keys[i] !== undefined),
  }));
}

/** What the pattern or, without one, the folder says; folders say nothing where no class has two of them. */
function namedKeys(
  examples: readonly Example[],
  classes: readonly number[][],
  pattern: GroupOf | undefined,
): (string | undefined)[] {
  const folders = examples.map(({ below = '' }) =>
    below.includes('/') ? below.slice(0, below.lastIndexOf('/')) : undefined,
  );
  const several = classes.some(
    (images) => new Set(images.flatMap((i) => (folders[i] === undefined ? [] : [folders[i]]))).size > 1,
  );
  return examples.map(({ below, label }, i) => {
    const key = below === undefined ? undefined : pattern?.(below);
    if (key !== undefined) return `name ${key}`;
    return several && folders[i] !== undefined ? `folder ${label} ${folders[i]}` : undefined;
  });
}

/**
 * Runs of consecutive numbers behind the same name, as long as the pictures are close in time or look alike; and, whatever
 * they are called, pictures that the camera itself dates close to each other.
 */
function* bursts(
  examples: readonly Example[],
  images: readonly number[],
  prints: readonly (Fingerprint | undefined)[],
): Generator<number[]> {
  const dated = images.filter((i) => examples[i]!.taken !== undefined);
  dated.sort((a, b) => examples[a]!.taken! - examples[b]!.taken!);
  yield* believable(
    runs(dated, (a, b) => examples[b]!.taken! - examples[a]!.taken! <= burstMs),
    images,
  );
  const withNumber = images.flatMap((i) => {
    const name = numbered(examples[i]!.below ?? '');
    return name === undefined ? [] : [{ i, ...name }];
  });
  for (const series of groupBy(withNumber, ({ series }) => series).values()) {
    series.sort((a, b) => a.number - b.number);
    const order = series.map(({ i }) => i);
    const number = new Map(series.map((one) => [one.i, one.number]));
    const consecutive = (a: number, b: number) => number.get(b)! - number.get(a)! <= 1;
    const alike = (a: number, b: number) => consecutive(a, b) && looksLike(prints[a], prints[b]);
    yield* believable(runs(order, alike), images);
    const written = (i: number) => examples[i]!.taken ?? examples[i]!.modified;
    if (isCopied(order.map((i) => examples[i]!.modified))) continue;
    yield* believable(
      runs(order, (a, b) => {
        const [before, after] = [written(a), written(b)];
        return (
          consecutive(a, b) &&
          before !== undefined &&
          after !== undefined &&
          Math.abs(after - before) <= burstMs
        );
      }),
      images,
    );
  }
}

/** A camera on a belt never pauses, and its background is the same: a run of most of a class says nothing. */
function believable(found: Iterable<number[]>, images: readonly number[]): number[][] {
  return [...found].filter((run) => 2 * run.length <= images.length);
}

function* runs(order: readonly number[], goesOn: (a: number, b: number) => boolean): Generator<number[]> {
  let run: number[] = [];
  for (const i of order) {
    if (run.length > 0 && !goesOn(run.at(-1)!, i)) {
      yield run;
      run = [];
    }
    run.push(i);
  }
  if (run.length > 0) yield run;
}

function looksLike(a: Fingerprint | undefined, b: Fingerprint | undefined): boolean {
  return a !== undefined && b !== undefined && levelsBetween(a, b) <= burstLevels;
}

/** Whether files got their times from being copied or unpacked: faster than anybody photographs. */
function isCopied(times: readonly (number | undefined)[]): boolean {
  let quick = 0;
  for (let i = 1; i < times.length; i++) {
    const [before, after] = [times[i - 1], times[i]];
    if (before === undefined || after === undefined || Math.abs(after - before) < 500) quick++;
  }
  return 2 * quick >= times.length - 1;
}

/** In the order in which the groups are met. */
export function groupBy<T, K>(items: Iterable<T>, key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}

class DisjointSets {
  readonly #parent: Int32Array;

  constructor(count: number) {
    this.#parent = Int32Array.from({ length: count }, (_, i) => i);
  }

  find(i: number): number {
    while (this.#parent[i] !== i) i = this.#parent[i] = this.#parent[this.#parent[i]!]!;
    return i;
  }

  join(all: readonly number[]): void {
    for (const one of all) {
      const [a, b] = [this.find(all[0]!), this.find(one)];
      this.#parent[Math.max(a, b)] = Math.min(a, b);
    }
  }
}
