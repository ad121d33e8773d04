/** Divides labelled images into groups that belong together, and holds whole groups back to judge by. */
import { createHash } from 'node:crypto';
import type { Example } from '../datasets/dataset.ts';
import { likenessGroups, meanOf, type Row } from './likeness.ts';
import { groupBy, type Series } from './series.ts';

/** Into how many groups of like images a class is divided, where nobody says what belongs together. */
function groupCount(images: number): number {
  if (images < 9) return 2;
  return images < 32 ? 3 : 4;
}

/**
 * The group of each example. Series that the user named are groups as they are; the others of a class are put together by
 * likeness, for photographs of one occasion resemble each other. `rowOf` describes an image. Measured on grocery
 * photographs (docs/training.md): with whole groups held back, the accuracy in other places is told to within some 4 points;
 * dealing out every image alone flatters by 25.
 */
export function groupsOf(
  examples: readonly Example[],
  series: readonly Series[],
  rowOf: (example: number) => Row,
): Int32Array {
  const groups = new Int32Array(examples.length);
  let next = 0;
  const add = (all: readonly Series[]) => {
    for (const { images } of all) for (const i of images) groups[i] = next;
    next++;
  };
  for (const named of series.filter(({ isNamed }) => isNamed)) add([named]);
  const unnamed = series.filter(({ isNamed }) => !isNamed);
  for (const others of groupBy(unnamed, ({ images }) => examples[images[0]!]!.label).values()) {
    const count = others.reduce((sum, { images }) => sum + images.length, 0);
    const rows = others.map(({ images }) => meanOf(images.map(rowOf)));
    for (const alike of likenessGroups(rows, groupCount(count))) add(alike.map((i) => others[i]!));
  }
  return groups;
}

export interface GroupSplit {
  /** Whether each example is held back. */
  held: boolean[];
  /** Labels of the classes that are one group: all of it is learned from, and nobody judges it. */
  oneGroup: number[];
}

/**
 * Holds back whole groups, of each class as near to `share` (0 to 1) of its images as they come: one at the least where that
 * leaves one to learn from, and never all. Which ones depends on their contents and the seed alone.
 */
export function splitByGroups(
  examples: readonly Example[],
  groups: Int32Array,
  share: number,
  seed: number,
): GroupSplit {
  const units = [...groupBy(examples.keys(), (i) => groups[i]!).values()]
    .map((images) => ({
      images,
      at: place(images, examples, seed),
      sizes: new Map(
        [...groupBy(images, (i) => examples[i]!.label)].map(([label, own]) => [label, own.length]),
      ),
    }))
    .sort((a, b) => (a.at < b.at ? -1 : 1));
  const classes = new Map<number, { wanted: number; held: number; left: number }>();
  for (const { sizes } of units) {
    for (const [label, size] of sizes) {
      const known = classes.get(label) ?? { wanted: 0, held: 0, left: 0 };
      classes.set(label, { ...known, wanted: known.wanted + share * size, left: known.left + 1 });
    }
  }
  const oneGroup = [...classes].filter(([, { left }]) => left < 2).map(([label]) => label);
  const held = new Array<boolean>(examples.length).fill(false);
  type Unit = (typeof units)[number];
  const mayBeHeld = ({ images, sizes }: Unit) =>
    !held[images[0]!] && [...sizes.keys()].every((label) => classes.get(label)!.left > 1);
  const hold = ({ images, sizes }: Unit) => {
    for (const i of images) held[i] = true;
    for (const [label, size] of sizes) {
      const one = classes.get(label)!;
      one.held += size;
      one.left--;
    }
  };
  /** How much farther from the wanted shares it would be with this group. */
  const farther = ({ sizes }: Unit) => {
    let sum = 0;
    for (const [label, size] of sizes) {
      const { held: now, wanted } = classes.get(label)!;
      sum += Math.abs(now + size - wanted) - Math.abs(now - wanted);
    }
    return sum;
  };
  for (const unit of units) if (mayBeHeld(unit) && farther(unit) <= 0) hold(unit);
  for (const [label, one] of classes) {
    if (one.held > 0) continue;
    const possible = units.filter((unit) => unit.sizes.has(label) && mayBeHeld(unit));
    if (possible.length === 0) continue;
    hold(possible.reduce((least, unit) => (unit.images.length < least.images.length ? unit : least)));
  }
  return { held, oneGroup: oneGroup.sort((a, b) => a - b) };
}

/** Where a group stands in the seed's order: by the least of its contents. */
function place(images: readonly number[], examples: readonly Example[], seed: number): string {
  const least = images.map((i) => examples[i]!.sha256).reduce((a, b) => (b < a ? b : a));
  return createHash('sha256').update(`${seed} ${least}`).digest('hex');
}

/** How independent the images are that judge. */
export interface HeldGroups {
  count: number;
  /** Images in the largest. */
  largest: number;
}

export function heldGroups(groups: Iterable<number>): HeldGroups {
  const sizes = [...groupBy(groups, (group) => group).values()].map(({ length }) => length);
  return { count: sizes.length, largest: Math.max(0, ...sizes) };
}

/** Every image alone, but copies of one content. */
export function contentGroups(examples: readonly Example[]): Int32Array {
  const groups = new Int32Array(examples.length);
  let next = 0;
  for (const same of groupBy(
    examples.keys(),
    (i) => `${examples[i]!.label} ${examples[i]!.sha256}`,
  ).values()) {
    for (const i of same) groups[i] = next;
    next++;
  }
  return groups;
}
