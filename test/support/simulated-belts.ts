/** Belts as a consumer sees them, by chance alone: for the false alarms of an unchanged one, and for changes of which the moment is known. */
import type { Random } from '../../src/lib/local/drawings/random.ts';
import type { BeltWatch, DriftChange } from '../../src/lib/pipeline/drift/belt.ts';
import type { SeenImage } from '../../src/lib/pipeline/drift/shown.ts';

export interface SimulatedBelt {
  /** Shares of the classes. */
  mix: readonly number[];
  /** Share of 1; null: the model does not tell. */
  unknown: number | null;
  /** Percent, for an image of this class. */
  confidence: (random: Random, category: number) => number;
  /** How likely an image is of its predecessor's class without a draw: runs of 1 / (1 - repeat) images. */
  repeat: number;
}

export function alike(classes: number): number[] {
  return Array.from({ length: classes }, () => 1 / classes);
}

/** The n-th most frequent of them 1/n as often as the first. */
export function zipf(classes: number): number[] {
  const weights = Array.from({ length: classes }, (_, n) => 1 / (n + 1));
  const all = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / all);
}

/** Confidences as models have them, in percent. */
export const confidences = {
  /** Three in a hundred images are hard. */
  sure: (random: Random) => (random() < 0.97 ? 99 + random() : 30 + 69 * random()),
  verySure: (random: Random) => (random() < 0.996 ? 99.9 + random() / 10 : 50),
  broad: (random: Random) => 100 * Math.max(random(), random()),
  unsure: (random: Random) => 100 * random() ** 2,
  /** Some classes are harder than others. */
  byClass: (random: Random, category: number) => Math.min(100, 50 + (category % 10) * 5 + 10 * random()),
} satisfies Record<string, SimulatedBelt['confidence']>;

const names = Array.from({ length: 1000 }, (_, n) => `class ${n}`);

/** One image a second. */
export class Simulation {
  readonly #random: Random;
  #category = 0;
  #images = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  next({ mix, unknown, confidence, repeat }: SimulatedBelt): SeenImage {
    const random = this.#random;
    if (this.#images === 0 || random() >= repeat) this.#category = drawn(mix, random);
    return {
      time: this.#images++ * 1000,
      category: names[this.#category]!,
      confidence: confidence(random, this.#category),
      unknown: unknown === null ? null : random() < unknown,
    };
  }
}

function drawn(mix: readonly number[], random: Random): number {
  let left = random();
  for (const [n, share] of mix.entries()) {
    left -= share;
    if (left < 0) return n;
  }
  return mix.length - 1;
}

/** What a watch finds in so many images; the first 500 that it has no reference for become it. */
export function watched(
  watch: BeltWatch,
  simulation: Simulation,
  belt: SimulatedBelt,
  images: number,
): (DriftChange & { after: number })[] {
  const found: (DriftChange & { after: number })[] = [];
  for (let n = 1; n <= images; n++) {
    if (!watch.add(simulation.next(belt))) continue;
    const first = watch.firstShown();
    if (first !== null) watch.compareWith(first, true);
    found.push(...watch.judge().map((change) => ({ ...change, after: n })));
  }
  return found;
}
