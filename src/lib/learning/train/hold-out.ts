/** The images to learn from and those to judge by: no group of pictures that belong together is on both sides. */
import type { ImageLimits } from '../../models/images/limits.ts';
import { invalidDataset, quotedList, type Example } from '../datasets/dataset.ts';
import { withoutExamples, type FoundSets } from '../datasets/sets.ts';
import { duplicatesAmong, fingerprints, type Fingerprint } from '../evaluate/duplicates.ts';
import type { DuplicatePair } from '../evaluate/report/input.ts';
import { contentGroups, groupsOf, heldGroups, splitByGroups, type HeldGroups } from '../groups/groups.ts';
import type { Row } from '../groups/likeness.ts';
import { type GroupOf, refuseUnfit } from '../groups/names.ts';
import { seriesOf } from '../groups/series.ts';

export interface Sets extends FoundSets {
  held: Example[];
  /** Classes that nobody judges: the hold-out has no images of them. */
  unjudged: string[];
  /** Of these, the ones whose images all belong together, so that none can be held back. */
  oneGroup: string[];
  /** Of `held`. */
  groups: HeldGroups;
  /** Images of a given hold-out that (nearly) are in the training set, and whether they are out of `held` therefore. */
  duplicates: DuplicatePair[];
  duplicatesLeftOut: boolean;
  /** Nothing but copies could be kept on one side: the accuracy says nothing about other pictures. */
  mixed: boolean;
  /** All groups are the user's own, by folder or name. */
  isNamed: boolean;
  /** `describe` was asked about all images. */
  isDescribed: boolean;
}

export interface HoldOutOptions {
  /** Share of each class that is held back. */
  valSplit: number;
  seed: number;
  pattern?: GroupOf | undefined;
  limits: ImageLimits;
  signal: AbortSignal;
  /** What likeness is told by; undefined: by small copies of the images. */
  describe: ((examples: readonly Example[]) => Promise<Row[]>) | undefined;
  onProgress: (done: number, total: number) => void;
}

/**
 * Throws a VisionscaleError `dataset_invalid` naming the classes with fewer than two different images, a UsageError where the
 * pattern fits no image.
 */
export async function holdOut(found: FoundSets, options: HoldOutOptions): Promise<Sets> {
  const { held } = found;
  if (held === undefined) refuseSingle(found);
  if (options.pattern) refuseUnfit(held ?? found.train, options.pattern);
  const all = [...found.train, ...(held ?? [])];
  const { limits, signal, onProgress } = options;
  const prints = await fingerprints(all, {
    limits,
    signal,
    onProgress: (done) => onProgress(done, all.length),
  });
  return held === undefined
    ? await splitOwn(found, prints, options)
    : judgedApart({ ...found, held }, prints, options);
}

/** A given hold-out, without the images that were learned from. */
function judgedApart(
  found: FoundSets & { held: Example[] },
  prints: readonly (Fingerprint | undefined)[],
  { pattern }: HoldOutOptions,
): Sets {
  const { labels, train, held } = found;
  const duplicates = duplicatesAmong(train, held, prints);
  const copies = new Set(duplicates.map((pair) => pair.held));
  const own = held.filter(({ path }) => !copies.has(path));
  // A hold-out of copies still has a figure, and a report that says what it is worth.
  const duplicatesLeftOut = copies.size > 0 && new Set(own.map(({ label }) => label)).size >= 2;
  const judged = duplicatesLeftOut ? own : held;
  const print = new Map(held.map(({ path }, i) => [path, prints[train.length + i]]));
  const series = seriesOf(
    judged,
    judged.map(({ path }) => print.get(path)),
    pattern,
  );
  return {
    ...found,
    held: judged,
    unjudged: withoutExamples(labels, judged),
    oneGroup: [],
    groups: heldGroups(series.flatMap(({ images }, group) => images.map(() => group))),
    duplicates,
    duplicatesLeftOut,
    mixed: false,
    isNamed: series.every((one) => one.isNamed),
    isDescribed: false,
  };
}

async function splitOwn(
  found: FoundSets,
  prints: readonly (Fingerprint | undefined)[],
  options: HoldOutOptions,
): Promise<Sets> {
  const { labels, train: all } = found;
  const { pattern, describe, valSplit, seed } = options;
  const series = seriesOf(all, prints, pattern);
  const isNamed = series.every((one) => one.isNamed);
  const rows = isNamed ? [] : ((await describe?.(all)) ?? prints.map((print) => print?.pixels ?? noPixels));
  const apart = groupsOf(all, series, (i) => rows[i]!);
  const byGroup = splitByGroups(all, apart, valSplit, seed);
  const judged = new Set(all.filter((_, i) => byGroup.held[i]).map(({ label }) => label));
  const mixed = judged.size < 2;
  const groups = mixed ? contentGroups(all) : apart;
  const split = mixed ? splitByGroups(all, groups, valSplit, seed) : byGroup;
  const side = (isHeld: boolean) => [...all.keys()].filter((i) => split.held[i] === isHeld);
  const [train, held] = [side(false), side(true)];
  const of = (side: readonly number[]) => side.map((i) => all[i]!);
  return {
    ...found,
    train: of(train),
    held: of(held),
    unjudged: withoutExamples(labels, of(held)),
    oneGroup: split.oneGroup.map((label) => labels[label]!),
    groups: heldGroups(held.map((i) => apart[i]!)),
    duplicates: duplicatesAmong(
      of(train),
      of(held),
      [...train, ...held].map((i) => prints[i]),
    ),
    duplicatesLeftOut: false,
    mixed,
    isNamed,
    isDescribed: !isNamed && describe !== undefined,
  };
}

/** Of an image that was removed meanwhile. */
const noPixels = new Uint8Array(216);

function refuseSingle({ labels, train }: FoundSets): void {
  const contents = labels.map(() => new Set<string>());
  for (const { label, sha256 } of train) contents[label]!.add(sha256);
  const single = labels.filter((_, label) => contents[label]!.size < 2);
  if (single.length === 0) return;
  throw invalidDataset(
    `too few different images to hold one back: ${quotedList(single)}`,
    'Each class needs at least two different images (20 or more to be useful), or use --val <dir>.',
  );
}
