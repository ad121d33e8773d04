/** Divides labelled images into groups that belong together, and holds whole groups back to judge by. */
import { createHash } from 'node:crypto';
import type { Example } from '../datasets/dataset.ts';
import { likenessGroups, meanOf, type Row } from './likeness.ts';
import { groupBy, type Series } from './series.ts';

/** Groups of like images that a class is divided into, where nobody says what belongs together. */
const mostGroups = 4;
/** Images that such a group should have at the least, in the mean. */
const leastImages = 3;

/**
 * The group of each example. Series that the user named are groups as they are; the others of a class are put together by
 * likeness, for photographs of one occasion resemble each other. `rowOf` describes an image. Measured on grocery
 * photographs (docs/training.md): four groups a class, with the whole of one or more held back, tell the accuracy in
 * another shop to within 3 points; dealing out every image alone flatters by 23.
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
  for (const own of groupBy(series, ({ images }) => examples[images[0]!]!.label).values()) {
    for (const named of own.filter(({ isNamed }) => isNamed)) add([named]);
    const others = own.filter(({ isNamed }) => !isNamed);
    if (others.length === 0) continue;
    const count = others.reduce((sum, { images }) => sum + images.length, 0);
    const most = Math.max(2, Math.min(mostGroups, Math.floor(count / leastImages)));
    const rows = others.map(({ images }) => meanOf(images.map(rowOf)));
    for (const alike of likenessGroups(rows, most)) add(alike.map((i) => others[i]!));
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
 * Holds back whole groups, of each class as near to `share` (0 to 1) of its images as they come: one at the least, and
 * never all. Which ones depends on their contents and the seed alone. Groups must not span classes.
 */
export function splitByGroups(
  examples: readonly Example[],
  groups: Int32Array,
  share: number,
  seed: number,
): GroupSplit {
  const held = new Array<boolean>(examples.length).fill(false);
  const oneGroup: number[] = [];
  for (const [label, own] of groupBy(examples.keys(), (i) => examples[i]!.label)) {
    const ordered = [...groupBy(own, (i) => groups[i]!).values()]
      .map((images) => ({ images, at: place(images, examples, seed) }))
      .sort((a, b) => (a.at < b.at ? -1 : 1));
    if (ordered.length < 2) {
      oneGroup.push(label);
      continue;
    }
    const wanted = share * own.length;
    let count = 0;
    const chosen = new Set<number[]>();
    for (const { images } of ordered) {
      const isNearer = Math.abs(count + images.length - wanted) <= Math.abs(count - wanted);
      if (!isNearer || chosen.size + 1 === ordered.length) continue;
      chosen.add(images);
      count += images.length;
    }
    if (chosen.size === 0) {
      chosen.add(
        ordered.reduce((least, one) => (one.images.length < least.images.length ? one : least)).images,
      );
    }
    for (const images of chosen) for (const i of images) held[i] = true;
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
