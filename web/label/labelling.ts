/** What is labelled, selected and undone: the state of the view Label, without its looks. */

import type * as answers from '../shared/answers.ts';

export type Unsure = Pick<answers.Unsure, 'imageKey' | 'category' | 'confidence' | 'novelty'>;
export type Correction = Pick<answers.Correction, 'imageKey' | 'label' | 'former'>;

export interface LabellingApi {
  /** The least sure of what has no correction yet, at most so many. */
  unsure(limit: number): Promise<Unsure[]>;
  correct(corrections: { imageKey: string; label: string }[], isNew: boolean): Promise<Correction[]>;
  undo(corrections: Correction[]): Promise<void>;
}

interface Step {
  taken: { image: Unsure; index: number }[];
  /** Once the server has answered. */
  recorded?: Correction[];
}

/** What is asked for at a time, and below how many images that is. */
const limit = 120;
const low = 40;
/** What the server takes at a time. */
const most = 200;

/**
 * It changes at once and tells the server in the order of what was done: whoever types is faster than a network.
 * Keys come faster than the page is drawn, so nothing here waits for that.
 */
export class Labelling {
  /** Undefined until the first answer. */
  images: Unsure[] | undefined;
  /** Image keys. */
  selected: ReadonlySet<string> = new Set();
  /** The place of the image that keys move. */
  cursor = 0;
  done = 0;
  /** Steps that the server has not answered. */
  pending = 0;
  /** Why something was not recorded. */
  fault: unknown;
  /** Why there are no images. */
  error: unknown;
  /** Where a range begins. */
  #anchor = 0;
  #history: Step[] = [];
  #told: Promise<void> = Promise.resolve();
  #asking = false;
  readonly #gone = new Set<string>();
  readonly #api: LabellingApi;
  readonly #changed: () => void;

  constructor(api: LabellingApi, changed: () => void) {
    this.#api = api;
    this.#changed = changed;
  }

  get isLow(): boolean {
    return this.images === undefined || this.images.length < low;
  }

  get canUndo(): boolean {
    return this.#history.length > 0;
  }

  /** What a label would be given to, in its order. */
  get chosen(): Unsure[] {
    const images = this.images ?? [];
    const found = this.selected.size > 0 ? images.filter(({ imageKey }) => this.selected.has(imageKey)) : [];
    return (found.length > 0 ? found : images.slice(this.cursor, this.cursor + 1)).slice(0, most);
  }

  /** Returns whether there may be more. */
  async fetch(): Promise<boolean> {
    if (this.#asking) return false;
    this.#asking = true;
    try {
      await this.#told; // what is on its way would come again
      const found = await this.#api.unsure(limit);
      const shown = new Set(this.images?.map(({ imageKey }) => imageKey));
      const more = found.filter(({ imageKey }) => !shown.has(imageKey) && !this.#gone.has(imageKey));
      this.images = [...(this.images ?? []), ...more];
      this.error = undefined;
      return found.length === limit && more.length > 0;
    } catch (error) {
      this.error = error;
      return false;
    } finally {
      this.#asking = false;
      this.#changed();
    }
  }

  move(by: number, extend: boolean): void {
    this.cursor = this.#within(this.cursor + by);
    if (extend) this.#range();
    else this.#anchor = this.cursor;
    this.#changed();
  }

  click(index: number, how: { shift: boolean; toggle: boolean }): void {
    const { imageKey } = this.images![index]!;
    this.cursor = index;
    if (how.shift) this.#range();
    else {
      this.#anchor = index;
      const isOnly = this.selected.size === 1 && this.selected.has(imageKey);
      if (how.toggle) this.selected = toggled(this.selected, imageKey);
      else this.selected = new Set(isOnly ? [] : [imageKey]);
    }
    this.#changed();
  }

  toggle(): void {
    const image = this.images?.[this.cursor];
    if (image === undefined) return;
    this.#anchor = this.cursor;
    this.selected = toggled(this.selected, image.imageKey);
    this.#changed();
  }

  /** All, or none where all are. */
  selectAll(): void {
    const keys = (this.images ?? []).map(({ imageKey }) => imageKey);
    this.select(this.selected.size === keys.length ? [] : keys);
  }

  select(keys: Iterable<string>): void {
    this.selected = new Set(keys);
    this.#changed();
  }

  /** `labelOf`: what each of the chosen is. */
  apply(labelOf: (image: Unsure) => string, isKnown: (label: string) => boolean): void {
    const chosen = new Set(this.chosen);
    if (chosen.size === 0) return;
    const images = this.images!;
    const taken = images.flatMap((image, index) => (chosen.has(image) ? [{ image, index }] : []));
    const step: Step = { taken };
    this.images = images.filter((image) => !chosen.has(image));
    for (const { image } of taken) this.#gone.add(image.imageKey);
    this.#history.push(step);
    this.done += taken.length;
    this.selected = new Set();
    this.cursor = this.#anchor = this.#within(taken[0]!.index);
    this.fault = undefined;
    const corrections = taken.map(({ image }) => ({ imageKey: image.imageKey, label: labelOf(image) }));
    const isNew = corrections.some(({ label }) => !isKnown(label));
    this.#tell(async () => {
      try {
        step.recorded = await this.#api.correct(corrections, isNew);
      } catch (error) {
        if (this.#history.includes(step)) this.#putBack(step);
        throw error;
      }
    });
  }

  undo(): void {
    const step = this.#history.at(-1);
    if (step === undefined) return;
    this.#putBack(step);
    this.cursor = this.#anchor = this.#within(step.taken[0]!.index);
    this.fault = undefined;
    this.#tell(async () => {
      // What was not recorded need not be taken back.
      if (step.recorded !== undefined) await this.#api.undo(step.recorded);
    });
  }

  #putBack(step: Step): void {
    this.#history = this.#history.filter((one) => one !== step);
    this.done -= step.taken.length;
    const images = [...(this.images ?? [])];
    for (const { image, index } of step.taken) {
      this.#gone.delete(image.imageKey);
      images.splice(index, 0, image);
    }
    this.images = images;
  }

  #tell(act: () => Promise<void>): void {
    this.pending++;
    this.#told = this.#told
      .then(act)
      .catch((error: unknown) => void (this.fault = error))
      .then(() => {
        this.pending--;
        this.#changed();
      });
    this.#changed();
  }

  #range(): void {
    const [from, to] = [this.#anchor, this.cursor].toSorted((a, b) => a - b) as [number, number];
    this.selected = new Set(this.images!.slice(from, to + 1).map(({ imageKey }) => imageKey));
  }

  #within(index: number): number {
    return Math.max(0, Math.min(index, (this.images?.length ?? 0) - 1));
  }
}

function toggled(keys: ReadonlySet<string>, key: string): Set<string> {
  const next = new Set(keys);
  if (!next.delete(key)) next.add(key);
  return next;
}

/** `a` selects all, `u` undoes. */
export const labelKeys = [...'123456789bcdefghijklmnopqrstvwxyz'];

/** The labels that get a key. Where all cannot: those in use, then what the shown images were predicted as. */
export function keyedLabels(labels: readonly answers.LabelCount[], images: readonly Unsure[]): string[] {
  const names = labels.map(({ label }) => label);
  if (names.length <= labelKeys.length && names.length > 0) return names;
  const used = labels
    .filter(({ corrections }) => corrections > 0)
    .toSorted((a, b) => b.corrections - a.corrections);
  const predicted = images.map(({ category }) => category);
  return [...new Set([...used.map(({ label }) => label), ...predicted])].slice(0, labelKeys.length);
}

/**
 * How well a label fits what is typed: 0 the same, 1 begins so, 2 one of its names does (ImageNet's are separated by commas),
 * 3 a word in it does, 4 it is somewhere within; 5: not at all.
 */
function fit(label: string, typed: string): number {
  const [lower, wanted] = [label.toLowerCase(), typed.trim().toLowerCase()];
  if (lower === wanted) return 0;
  if (lower.startsWith(wanted)) return 1;
  if (lower.includes(`, ${wanted}`)) return 2;
  if (lower.split(/[^\p{L}\p{N}]+/u).some((word) => word.startsWith(wanted))) return 3;
  return lower.includes(wanted) ? 4 : 5;
}

export interface Match {
  label: string;
  isNew: boolean;
}

/**
 * What typed text may mean, the likeliest first, for Enter takes that: labels that begin with it, then a new class, then labels
 * that have it elsewhere. At most so many labels.
 */
export function matching(labels: readonly string[], text: string, most: number): Match[] {
  const typed = text.trim();
  if (typed === '') return [];
  const fits = labels
    .map((label) => ({ label, isNew: false, fit: fit(label, typed) }))
    .filter((one) => one.fit < 5)
    .toSorted((a, b) => a.fit - b.fit)
    .slice(0, most);
  const own = labels.includes(typed) ? [] : [{ label: typed, isNew: true, fit: 2.5 }];
  return [...fits, ...own].toSorted((a, b) => a.fit - b.fit).map(({ label, isNew }) => ({ label, isNew }));
}
