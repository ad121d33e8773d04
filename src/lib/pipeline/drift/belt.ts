/** Judges one belt and model: its last images against its first ones, and against what training saw. */
import type { ExpectedResults } from '../../base/classification.ts';
import { sum } from '../../base/statistics.ts';
import type { Shown } from '../../systems/database/tables/belt-references.ts';
import { type DriftKind, driftKinds } from '../../systems/database/tables/consumers.ts';
import { classScore, confidenceScore, type Sample, unknownScore } from './scores.ts';
import { type SeenImage, shownBy } from './shown.ts';

/** How many images are judged, and how many are the reference. */
export const windowImages = 500;
/** Fewer are not judged. */
const leastImages = 100;
/** How often, in images. */
const everyImages = 20;

/**
 * Scores from which on something is drift, and below which it is over. docs/training.md has the false alarms that were measured.
 */
const drifts = 4;
const isOver = 2;

/** So much worse than training, in percentage points, is worth a word: no belt is quite like the images held out there. */
const unlikeTraining = { unknown: 5, confidence: 10 };

/** One way in which a belt is not what it is compared with. Shares and confidences are percent. */
export interface BeltDrift {
  kind: DriftKind;
  /** Milliseconds since the epoch; null: since its first images, compared with training. */
  since: number | null;
  from: number;
  /** Since then, within the last 500 images. */
  to: number;
  /** Of classes: the one whose share changed most; else null. */
  category: string | null;
}

export interface DriftChange {
  drift: BeltDrift;
  over: boolean;
}

export class BeltWatch {
  readonly #training: Sample | null;
  readonly #window: SeenImage[] = [];
  readonly #drifts = new Map<DriftKind, BeltDrift>();
  #reference: Shown | null = null;
  #judged: Shown | null = null;
  #unjudged = 0;

  constructor(expected: ExpectedResults | undefined) {
    this.#training = expected === undefined ? null : sampleOf(expected);
  }

  /** True where it is time to judge. */
  add(image: SeenImage): boolean {
    this.#window.push(image);
    if (this.#window.length > windowImages) this.#window.shift();
    this.#unjudged++;
    return this.#unjudged >= everyImages;
  }

  get drifts(): readonly BeltDrift[] {
    return [...this.#drifts.values()];
  }

  /** What the images showed that are to be the reference; null: there are too few yet, or it has one. */
  firstShown(): Shown | null {
    return this.#reference === null && this.#window.length === windowImages ? shownBy(this.#window) : null;
  }

  /** What the last images showed when they were judged last; null: too few to judge. */
  get judged(): Shown | null {
    return this.#judged;
  }

  /** `fromWindow`: it was made of the images that are in the window, which are not compared with themselves. */
  compareWith(reference: Shown, fromWindow: boolean): void {
    this.#reference = reference;
    if (fromWindow) this.#window.length = 0;
  }

  /** What has begun or ended since the last time. */
  judge(): DriftChange[] {
    this.#unjudged = 0;
    if (this.#window.length < leastImages) return [];
    const now = shownBy(this.#window);
    this.#judged = now;
    return driftKinds.flatMap((kind) => this.#judgeKind(kind, now));
  }

  #judgeKind(kind: DriftKind, now: Shown): DriftChange[] {
    const before = this.#drifts.get(kind);
    const found = this.#changed(kind, now, before) ?? this.#unlike(kind, now, before);
    if (found === null) {
      if (before === undefined) return [];
      this.#drifts.delete(kind);
      return [{ drift: { ...before, to: valueOf(kind, now, before.category) }, over: true }];
    }
    this.#drifts.set(kind, found);
    // The same one goes on, with other figures.
    return before !== undefined && (before.since === null) === (found.since === null)
      ? []
      : [{ drift: found, over: false }];
  }

  /** Against the belt's own first images. */
  #changed(kind: DriftKind, now: Shown, before: BeltDrift | undefined): BeltDrift | null {
    const reference = this.#reference;
    if (reference === null) return null;
    const goesOn = before !== undefined && before.since !== null;
    if (this.#harm(kind, reference, now) < (goesOn ? isOver : drifts)) return null;
    const category = goesOn ? before.category : kind === 'classes' ? mostChanged(reference, now) : null;
    const since = goesOn ? before.since! : this.#changeOf(kind, reference, now);
    const after = this.#window.filter(({ time }) => time >= since);
    const to = valueOf(kind, after.length > 0 ? shownBy(after) : now, category);
    return { kind, since, from: valueOf(kind, reference, category), to, category };
  }

  /** A model that is surer than it was sees something else, unless it is only as sure as in training. */
  #harm(kind: DriftKind, reference: Shown, now: Shown): number {
    const score = scoreOf[kind](reference, now, reference.inflation[kind]);
    if (kind !== 'confidence' || score >= 0) return score;
    const surer = -score;
    if (this.#training === null) return surer;
    return Math.min(surer, -confidenceScore(this.#training, now, now.inflation.confidence));
  }

  /** Against training: a mix of classes says nothing, for who collects images for training decides on it. */
  #unlike(kind: DriftKind, now: Shown, before: BeltDrift | undefined): BeltDrift | null {
    const training = this.#training;
    if (training === null || kind === 'classes') return null;
    if (kind === 'unknown' && (training.unknown === null || now.unknown === null)) return null;
    const [from, to] = [levelOf(kind, training), levelOf(kind, now)];
    const worse = kind === 'unknown' ? to - from : from - to;
    const goesOn = before?.since === null;
    if (worse < unlikeTraining[kind] / (goesOn ? 2 : 1)) return null;
    const score = scoreOf[kind](training, now, now.inflation[kind]);
    if (score < (goesOn ? isOver : drifts)) return null;
    return { kind, since: null, from, to, category: null };
  }

  /**
   * When the change most likely came: the moment at which what followed differs most from what was before, the reference
   * included.
   */
  #changeOf(kind: DriftKind, reference: Shown, now: Shown): number {
    const { value, before } = measureOf(kind, reference, now);
    const values = this.#window.map(value);
    const total = before * reference.images + sum(values);
    const all = reference.images + values.length;
    let [after, best, first] = [0, -Infinity, 0];
    for (let n = values.length - 1; n >= 0; n--) {
      after += values[n]!;
      const images = values.length - n;
      // A few unlike any other come by chance, now and then.
      if (images < everyImages) continue;
      const contrast = (after - (images * total) / all) ** 2 / (images * (all - images));
      if (contrast > best) [best, first] = [contrast, n];
    }
    return this.#window[first]!.time;
  }
}

const scoreOf = { unknown: unknownScore, confidence: confidenceScore, classes: classScore };

function sampleOf({ images, unknown, confidence }: ExpectedResults): Sample {
  return {
    images,
    unknown: unknown === undefined ? null : unknown * images,
    confidence: { mean: confidence.mean, variance: confidence.sd ** 2 },
  };
}

/** Percent. */
function valueOf(kind: DriftKind, of: Shown, category: string | null): number {
  if (kind === 'classes') return ((of.classes.get(category ?? '') ?? 0) / of.images) * 100;
  return levelOf(kind, of);
}

function levelOf(kind: 'unknown' | 'confidence', { confidence, unknown, images }: Sample): number {
  return kind === 'confidence' ? confidence.mean : ((unknown ?? 0) / images) * 100;
}

/** The class that adds most to the statistic. */
function mostChanged(before: Shown, now: Shown): string {
  const difference = (name: string) => {
    const [had, has] = [before, now].map(({ classes, images }) => (classes.get(name) ?? 0) / images);
    return (has! - had!) ** 2 / (has! + had!);
  };
  return [...namesOf(before, now)].reduce((most, name) =>
    difference(name) > difference(most) ? name : most,
  );
}

/** A number for each image, whose mean the change has moved; and what that mean was in the reference. */
function measureOf(
  kind: DriftKind,
  reference: Shown,
  now: Shown,
): { value: (image: SeenImage) => number; before: number } {
  if (kind === 'confidence') return { value: (image) => image.confidence, before: reference.confidence.mean };
  if (kind === 'unknown') {
    return { value: ({ unknown }) => (unknown ? 1 : 0), before: (reference.unknown ?? 0) / reference.images };
  }
  // Only the classes that came clearly more or less often: the others have changed by chance.
  const directionOf = (before: number, after: number) => {
    const [had, has] = [before / reference.images, after / now.images];
    const error = Math.sqrt(had / reference.images + has / now.images);
    return Math.abs(has - had) > clearly * error ? Math.sign(has - had) : 0;
  };
  const directions = new Map<string, number>();
  let unseen = 0;
  for (const name of namesOf(reference, now)) {
    const [before, after] = [reference.classes.get(name), now.classes.get(name) ?? 0];
    if (before === undefined) unseen += after;
    else directions.set(name, directionOf(before, after));
  }
  // Those that were never there count as one: each may have come but once.
  const ofUnseen = directionOf(0, unseen);
  const direction = (name: string) => directions.get(name) ?? ofUnseen;
  const before = sum([...reference.classes].map(([name, count]) => count * direction(name)));
  return { value: ({ category }) => direction(category), before: before / reference.images };
}

/** In standard errors. */
const clearly = 2;

function namesOf(...all: Shown[]): Set<string> {
  return new Set(all.flatMap(({ classes }) => [...classes.keys()]));
}
