/** Folds for cross-validation that keep like images together, as new photographs are unlike those that were learned. */
import type { ViewedFeatures } from './fit.ts';

export interface Fold {
  /** Images to learn from. */
  images: Int32Array;
  /** Images to judge on. */
  held: Int32Array;
}

const rounds = 10;

/**
 * Photographs come in series. Dealt out at random, an image is judged by a head that has learned from its neighbours: on
 * grocery photographs 95 of 100 are then right and every choice looks equally good, while of photographs of other places
 * 69 are. With a group of like images for each fold 60 to 64 are, and what is better here is better there. Of very few
 * images there may be fewer folds than asked for, or none.
 */
export function likenessFolds(set: ViewedFeatures, among: Int32Array, count: number): Fold[] {
  const fold = new Map<number, number>();
  for (let label = 0; label < set.classes; label++) {
    const images = among.filter((image) => set.labels[image] === label);
    const groups = groupsOf(set, images, count);
    const dealt = groups.length > 1 ? groups : [...images].map((image) => [image]);
    // The largest first, always to the smallest fold; classes begin with different folds, which makes them equally large.
    const sizes = new Array<number>(count).fill(0);
    for (const group of dealt.sort((a, b) => b.length - a.length)) {
      let to = label % count;
      for (let i = 0; i < count; i++) if (sizes[i]! < sizes[to]!) to = i;
      sizes[to]! += group.length;
      for (const image of group) fold.set(image, to);
    }
  }
  return Array.from({ length: count }, (_, i) => {
    const images = among.filter((image) => fold.get(image) !== i);
    const learned = new Set(Array.from(images, (image) => set.labels[image]));
    // What nobody taught cannot be asked: an only image judges nothing.
    const held = among.filter((image) => fold.get(image) === i && learned.has(set.labels[image]));
    return { images, held };
  }).filter(({ held }) => held.length > 0);
}

/** k-means on the first view, begun with images far from each other. */
function groupsOf(set: ViewedFeatures, images: Int32Array, most: number): number[][] {
  const { features, views } = set;
  const row = (image: number) => set.data.subarray(image * views * features, (image * views + 1) * features);
  let centres = farApart([...images].map(row), most);
  let groups: number[][] = [];
  for (let round = 0; round < rounds; round++) {
    groups = centres.map(() => []);
    for (const image of images) groups[nearest(row(image), centres)]!.push(image);
    groups = groups.filter((group) => group.length > 0);
    centres = groups.map((group) => meanOf(group.map(row), features));
  }
  return groups;
}

type Row = Float32Array | Float64Array;

function farApart(rows: readonly Row[], count: number): Row[] {
  if (rows.length === 0) return [];
  const chosen = [rows[0]!];
  const distances = rows.map((row) => distance(row, rows[0]!));
  while (chosen.length < count) {
    let far = 0;
    for (const [i, apart] of distances.entries()) if (apart > distances[far]!) far = i;
    if (distances[far] === 0) break;
    chosen.push(rows[far]!);
    for (const [i, row] of rows.entries()) distances[i] = Math.min(distances[i]!, distance(row, rows[far]!));
  }
  return chosen;
}

function nearest(row: Row, centres: readonly Row[]): number {
  let [best, least] = [0, Infinity];
  for (const [i, centre] of centres.entries()) {
    const apart = distance(row, centre);
    if (apart < least) [best, least] = [i, apart];
  }
  return best;
}

function distance(a: Row, b: Row): number {
  let sum = 0;
  for (let j = 0; j < a.length; j++) sum += (a[j]! - b[j]!) ** 2;
  return sum;
}

function meanOf(rows: readonly Row[], features: number): Float64Array {
  const mean = new Float64Array(features);
  for (const row of rows) for (let j = 0; j < features; j++) mean[j]! += row[j]! / rows.length;
  return mean;
}
