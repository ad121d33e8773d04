/** Images of the hold-out that (nearly) are images of the training set: photographs of one series, copies, other sizes. */
import { realpath } from 'node:fs/promises';
import { ImageError } from '../../base/errors.ts';
import { readImageFile } from '../../base/files/read-file.ts';
import { forEachConcurrently } from '../../base/flow/for-each.ts';
import { usableCores } from '../../base/sandbox/parallelism.ts';
import { type ImagesApart, openImagesApart } from '../../models/images/apart.ts';
import { defaultLimits, type ImageLimits } from '../../models/images/limits.ts';
import type { LabelledImage } from './judge.ts';
import type { DuplicatePair } from './report/input.ts';

export interface DuplicateOptions {
  signal: AbortSignal;
  limits?: ImageLimits;
  /** Told how many images were looked at. */
  onProgress?: (done: number) => void;
}

/** Width and height of what is compared: differences of neighbours need one column more. */
const [columns, rows] = [9, 8];
/** Bits of 64 in which two images of the same thing may differ, and mean levels of 256 by which their pixels may. */
const mostBits = 3;
const mostLevels = 8;
/** Pairs looked at for one image: where very many are alike (plain areas), the first near one is enough. */
const mostCandidates = 2000;

/**
 * The nearest training image of each held image that has one. Coarse brightness gradients (a difference hash) find
 * candidates, the colours of 72 areas decide. Crops, turns and mirror images are not found. Memory: some 250 bytes an
 * image. Throws the signal's reason when aborted; unreadable images are passed over.
 */
export async function findDuplicates(
  train: readonly LabelledImage[],
  held: readonly LabelledImage[],
  options: DuplicateOptions,
): Promise<DuplicatePair[]> {
  const prints = await fingerprints([...train, ...held], options);
  return duplicatesAmong(train, held, prints);
}

/** As `findDuplicates`, with the prints of the training images and then of those held. */
export function duplicatesAmong(
  train: readonly LabelledImage[],
  held: readonly LabelledImage[],
  prints: readonly (Fingerprint | undefined)[],
): DuplicatePair[] {
  const index = indexOf(prints.slice(0, train.length));
  const pairs: DuplicatePair[] = [];
  held.forEach((image, at) => {
    const print = prints[train.length + at];
    const nearest = print && nearestOf(print, prints, index);
    if (nearest === undefined) return;
    const other = train[nearest]!;
    pairs.push({ train: other.path, held: image.path, sameLabel: other.label === image.label });
  });
  return pairs;
}

/** Every two prints of (nearly) the same image, by their indexes, the smaller first. */
export function* alikePairs(prints: readonly (Fingerprint | undefined)[]): Generator<[number, number]> {
  const index = indexOf(prints);
  for (const [i, print] of prints.entries()) {
    if (print === undefined) continue;
    for (const other of candidates(print, index)) {
      if (other < i && isAlike(print, prints[other]!)) yield [other, i];
    }
  }
}

/** How far two images differ, in mean levels of 256. */
export function levelsBetween(a: Fingerprint, b: Fingerprint): number {
  return levelsApart(a.pixels, b.pixels);
}

export interface Fingerprint {
  /** 64 bits in four words of 16: two prints within three bits of each other have one of them in common. */
  words: readonly number[];
  pixels: Uint8Array;
}

/** Of every image, in their order; undefined for those that cannot be read. */
export async function fingerprints(
  images: readonly LabelledImage[],
  { signal, onProgress, limits = defaultLimits }: DuplicateOptions,
): Promise<(Fingerprint | undefined)[]> {
  const prints: (Fingerprint | undefined)[] = new Array<undefined>(images.length).fill(undefined);
  let done = 0;
  await using looking = openImagesApart(limits);
  await forEachConcurrently(indexes(images.length, signal), usableCores() + 1, async (i) => {
    try {
      const bytes = await readImageFile(await realpath(images[i]!.path), limits.maxBytes);
      prints[i] = await fingerprint(looking, bytes);
    } catch (error) {
      const gone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!gone && !(error instanceof ImageError)) throw error;
    }
    onProgress?.(++done);
  });
  signal.throwIfAborted();
  return prints;
}

/** Rejects with an ImageError where it cannot be read. */
export async function fingerprint(
  looking: Pick<ImagesApart, 'smallPixels'>,
  bytes: Uint8Array,
): Promise<Fingerprint> {
  const pixels = await looking.smallPixels(bytes, columns, rows);
  const light = (x: number, y: number) => {
    const at = 3 * (y * columns + x);
    return 299 * pixels[at]! + 587 * pixels[at + 1]! + 114 * pixels[at + 2]!;
  };
  const words = [0, 0, 0, 0];
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns - 1; x++) {
      const bit = light(x, y) < light(x + 1, y) ? 1 : 0;
      words[y >> 1] = (words[y >> 1]! << 1) | bit;
    }
  }
  return { words, pixels };
}

function bands(print: Fingerprint | undefined): number[] {
  return print === undefined ? [] : print.words.map((word, i) => (i << 16) | word);
}

type BandIndex = ReadonlyMap<number, readonly number[]>;

/** Which prints have a word in common with another. */
function indexOf(prints: readonly (Fingerprint | undefined)[]): BandIndex {
  const index = new Map<number, number[]>();
  for (const [i, print] of prints.entries()) {
    for (const band of bands(print)) {
      const same = index.get(band);
      if (same) same.push(i);
      else index.set(band, [i]);
    }
  }
  return index;
}

function* candidates(print: Fingerprint, index: BandIndex): Generator<number> {
  let left = mostCandidates;
  for (const band of bands(print)) {
    for (const i of index.get(band) ?? []) {
      if (left-- === 0) return;
      yield i;
    }
  }
}

function isAlike(a: Fingerprint, b: Fingerprint): boolean {
  return bitsApart(a.words, b.words) <= mostBits && levelsApart(a.pixels, b.pixels) < mostLevels;
}

function nearestOf(
  print: Fingerprint,
  prints: readonly (Fingerprint | undefined)[],
  index: BandIndex,
): number | undefined {
  let nearest: number | undefined;
  let least = mostLevels;
  for (const i of candidates(print, index)) {
    const other = prints[i]!;
    if (bitsApart(print.words, other.words) > mostBits) continue;
    const levels = levelsApart(print.pixels, other.pixels);
    if (levels < least) [nearest, least] = [i, levels];
  }
  return nearest;
}

function bitsApart(a: readonly number[], b: readonly number[]): number {
  let bits = 0;
  for (let i = 0; i < a.length; i++) {
    for (let rest = a[i]! ^ b[i]!; rest !== 0; rest &= rest - 1) bits++;
  }
  return bits;
}

function levelsApart(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / a.length;
}

function* indexes(count: number, signal: AbortSignal): Generator<number> {
  for (let i = 0; i < count && !signal.aborted; i++) yield i;
}
