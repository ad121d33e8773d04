/** Chooses zoom, augmentation and penalty by cross-validation inside the training set: the hold-out has no say. */
import { likenessGroups } from '../../groups/likeness.ts';
import { viewOf } from '../features/network.ts';
import type { Head, ViewedFeatures } from './fit.ts';
import type { Fitters } from './fitters.ts';
import type { Fitness } from './objective.ts';

export interface Choice {
  /** Index in `zooms`. */
  zoom: number;
  augmentation: 'none' | 'flips';
  penalty: number;
}

/** A choice, and how it did on the images left out: the mean of all folds. */
export interface HeadTrial extends Choice, Fitness {}

export interface CrossValidation {
  /** Without figures where there are too few images to try anything. */
  chosen: Choice & Partial<Fitness>;
  /** In the order in which they were tried. */
  tried: HeadTrial[];
  /** Mean of the folds' heads: from where the fit to all images is not far. */
  start?: Head;
  /** With the head of each for what was chosen. */
  folds: readonly (Fold & { head: Head })[];
}

export interface CrossValidationOptions {
  /** How many zooms, and whether mirror images, are among the features. */
  zooms: number;
  flips: boolean;
  fitters: Pick<Fitters, 'fit'>;
  /** Told after every fit: how many of at most how many. */
  onProgress: (done: number, total: number) => void;
}

const foldCount = 4;
/** Images that choose, at the most: they tell which is better as well as more would. */
const mostImages = 8000;
/** With which zooms are compared. */
const usualPenalty = 0.001;
/** To either side of it, from near to far. */
const weaker = [0.0003, 0.0001];
const stronger = [0.003, 0.01];

/** A fit that shows which choice is better need not be exact. */
const roughly = { leastGain: 1e-3, maxIterations: 60 };

/** Throws what the fitters throw, when they are aborted too. */
export async function crossValidate(
  set: ViewedFeatures,
  options: CrossValidationOptions,
): Promise<CrossValidation> {
  const { zooms, flips, fitters, onProgress } = options;
  const folds = likenessFolds(set, sample(set.labels.length), foldCount);
  if (folds.length === 0) {
    return { chosen: { zoom: 0, augmentation: 'none', penalty: usualPenalty }, tried: [], folds: [] };
  }
  const total = folds.length * (zooms + weaker.length + stronger.length + (flips ? 1 : 0));
  const tried: HeadTrial[] = [];
  const heads: Head[][] = [];
  let done = 0;

  /** Fits every fold, from where it has ended in an earlier trial. */
  async function attempt(choice: Choice, earlier?: number): Promise<void> {
    const { penalty } = choice;
    const replies = await Promise.all(
      folds.map(async ({ images, held }, fold) => {
        const start = earlier === undefined ? undefined : heads[earlier]![fold];
        const task = { set, images, held, views: viewsOf(choice), penalty, start, ...roughly };
        const reply = await fitters.fit(task);
        onProgress(++done, total);
        return { head: reply.head, fitness: reply.fitness! };
      }),
    );
    tried.push({ ...choice, ...mean(replies.map(({ fitness }) => fitness)) });
    heads.push(replies.map(({ head }) => head));
  }

  for (let zoom = 0; zoom < zooms; zoom++) {
    await attempt({ zoom, augmentation: 'none', penalty: usualPenalty }, zoom > 0 ? zoom - 1 : undefined);
  }
  const nearest = bestOf(tried);
  for (const penalties of [weaker, stronger]) {
    let last = nearest;
    for (const penalty of penalties) {
      await attempt({ zoom: tried[nearest]!.zoom, augmentation: 'none', penalty }, last);
      last = tried.length - 1;
      if (bestOf(tried) !== last) break; // farther that way it only gets worse
    }
  }
  const alone = bestOf(tried);
  const { zoom, penalty } = tried[alone]!;
  if (flips) await attempt({ zoom, augmentation: 'flips', penalty }, alone);
  const best = bestOf(tried);
  const own = heads[best]!;
  const withHeads = folds.map((fold, i) => ({ ...fold, head: own[i]! }));
  return { chosen: tried[best]!, tried, start: meanHead(own), folds: withHeads };
}

/** As `fitHead` takes them. */
export function viewsOf({ zoom, augmentation }: Choice): number[] {
  return augmentation === 'none' ? [viewOf(zoom, false)] : [viewOf(zoom, false), viewOf(zoom, true)];
}

/** Evenly over all, which lie class by class. */
function sample(count: number): Int32Array {
  const length = Math.min(count, mostImages);
  return Int32Array.from({ length }, (_, i) => Math.floor((i * count) / length));
}

/** By the loss: it says more than the count of right answers, which takes a few images for a difference. */
function bestOf(trials: readonly HeadTrial[]): number {
  let best = 0;
  for (const [i, { loss }] of trials.entries()) if (loss < trials[best]!.loss) best = i;
  return best;
}

function mean(all: readonly Fitness[]): Fitness {
  const of = (value: (one: Fitness) => number) => all.reduce((sum, one) => sum + value(one) / all.length, 0);
  return { loss: of(({ loss }) => loss), top1: of(({ top1 }) => top1) };
}

function meanHead(heads: readonly Head[]): Head {
  const values = new Float64Array(heads[0]!.values.length);
  for (const head of heads) {
    for (let i = 0; i < values.length; i++) values[i]! += head.values[i]! / heads.length;
  }
  return { ...heads[0]!, values };
}

/** Folds for cross-validation that keep like images together, as new photographs are unlike those that were learned. */
export interface Fold {
  /** Images to learn from. */
  images: Int32Array;
  /** Images to judge on. */
  held: Int32Array;
}

/**
 * Photographs come in series. Dealt out at random, an image is judged by a head that has learned from its neighbours: on
 * grocery photographs 95 of 100 are then right and every choice looks equally good, while of photographs of other places
 * 69 are. With groups of like images kept together 67 are, and what is better here is better there. Of very few images
 * there may be fewer folds than asked for, or none.
 */
export function likenessFolds(set: ViewedFeatures, among: Int32Array, count: number): Fold[] {
  const { features, views } = set;
  // The first view: as inference sees it.
  const row = (image: number) => set.data.subarray(image * views * features, (image * views + 1) * features);
  const fold = new Map<number, number>();
  for (let label = 0; label < set.classes; label++) {
    const images = among.filter((image) => set.labels[image] === label);
    const groups = likenessGroups([...images].map(row), count).map((group) => group.map((i) => images[i]!));
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
