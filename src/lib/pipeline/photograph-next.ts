/** Which classes deserve more pictures, and why: by what people said of images, and by what comes along the belts. */
import { type Interval, sum, wilson } from '../base/statistics.ts';

/** Of one model. */
export interface Evidence {
  /** Of the latest predictions, by what the model said and where the images came from; a belt is null where none is known. */
  recent: readonly { category: string; belt: string | null; predictions: number; unknown: number }[];
  /** Corrected images, by what they are (`label`) and what the model said (`category`). */
  confusion: readonly { label: string; category: string; images: number }[];
}

export interface NextClass {
  label: string;
  /** Share of the latest images that are probably of this class, 0 to 1. */
  share: number;
  /** By which the list is ordered: the share of the latest images that more pictures of this class might put right, 0 to 1. */
  gain: number;
  /** Corrected images of this class. */
  images: number;
  right: number;
  /** Of the share that is right; null without a corrected image. */
  interval95: Interval | null;
  /** What its corrected images are most often taken for. */
  takenFor: { category: string; images: number } | null;
  /** The belt on which most of what is taken for this class is like no class; `share` is of 1. */
  unknownOn: { belt: string | null; share: number } | null;
  /** In words; at least one. */
  why: string[];
}

/** How many are named. */
const most = 8;
/** With fewer corrected images of a class, they alone are a reason. */
const few = 20;
/** So many right images of each category are imagined beside the corrected ones: a single correction says little. */
const imagined = 10;
/** Below this share right a class is called wrong; from this share on it is called unknown on a belt with so many images. */
const rightEnough = 0.9;
const manyUnknown = 0.1;
const enoughOnBelt = 20;

/**
 * The rule: gain = share x doubt, the largest first; at most eight, and only classes with a reason that can be told.
 *
 * - share: each category's share of the latest predictions, handed on to what its corrected images really were. Ten images
 *   that were right are imagined for each category, so without corrections a class has the share that was predicted.
 * - doubt: the upper bound (95 %, Wilson) of the share of the class's images that the model gets wrong, or the share of what it
 *   takes for the class that is like no class, if that is larger. Without corrections of any class nothing is known of errors,
 *   and only what is unknown counts; once there are some, a class without any has a doubt of 1.
 *
 * Corrected images are not a random sample: mostly the model was unsure of them. So errors look more frequent than they
 * are, alike for all classes; the order is to be trusted more than the numbers.
 */
export function photographNext({ recent, confusion }: Evidence): NextClass[] {
  const predicted = totals(recent, 'category', 'predictions');
  const unknown = totals(recent, 'category', 'unknown');
  const judged = totals(confusion, 'category', 'images');
  const labelled = totals(confusion, 'label', 'images');
  const all = sum([...predicted.values()]);
  if (all === 0) return [];
  const share = new Map<string, number>();
  const handOn = (label: string, category: string, images: number) => {
    const ofCategory = (predicted.get(category) ?? 0) / all;
    const part = images / ((judged.get(category) ?? 0) + imagined);
    share.set(label, (share.get(label) ?? 0) + ofCategory * part);
  };
  for (const category of predicted.keys()) handOn(category, category, imagined);
  for (const { label, category, images } of confusion) handOn(label, category, images);

  const found = [...share].flatMap(([label, share]): NextClass[] => {
    const own = confusion.filter((row) => row.label === label);
    const images = labelled.get(label) ?? 0;
    const right = own.find(({ category }) => category === label)?.images ?? 0;
    const wrong = own.filter(({ category }) => category !== label);
    const takenFor = wrong.reduce<NextClass['takenFor']>(
      (worst, { category, images }) => (images > (worst?.images ?? 0) ? { category, images } : worst),
      null,
    );
    const interval95 = images > 0 ? wilson(right, images) : null;
    const error = confusion.length === 0 ? 0 : 1 - (interval95?.low ?? 0);
    const isUnknown = (unknown.get(label) ?? 0) / (predicted.get(label) || 1);
    const one = {
      label,
      share,
      gain: share * Math.max(error, isUnknown),
      images,
      right,
      interval95,
      takenFor,
    };
    const told = { ...one, unknownOn: mostUnknown(recent, label) };
    const isSaid = predicted.has(label) || judged.has(label);
    const why = reasons(told, { isSaid, any: confusion.length > 0 });
    return why.length > 0 && told.gain > 0 ? [{ ...told, why }] : [];
  });
  return found.sort((a, b) => b.gain - a.gain || (a.label < b.label ? -1 : 1)).slice(0, most);
}

function reasons(one: Omit<NextClass, 'why'>, { isSaid, any }: { isSaid: boolean; any: boolean }): string[] {
  const { images, right, interval95, takenFor, unknownOn } = one;
  const why: string[] = [];
  if (!isSaid) why.push('the model never says it');
  else if (images > 0 && right / images < rightEnough) {
    const error = `${percent(1 - interval95!.high)} to ${percent(1 - interval95!.low)} %`;
    why.push(`wrong in ${images - right} of ${images} labelled images (95 % certain: ${error})`);
  }
  if (takenFor !== null && takenFor.images > 1)
    why.push(`taken for ${takenFor.category} ${takenFor.images} times`);
  if (unknownOn !== null) {
    const where = unknownOn.belt === null ? 'images without a belt' : `belt ${unknownOn.belt}`;
    why.push(`${percent(unknownOn.share)} % unknown on ${where}`);
  }
  if (any && images < few)
    why.push(images === 0 ? 'none of its images is labelled' : `only ${images} labelled`);
  return why;
}

function mostUnknown(recent: Evidence['recent'], label: string): NextClass['unknownOn'] {
  let worst: NextClass['unknownOn'] = null;
  for (const { category, belt, predictions, unknown } of recent) {
    const share = unknown / predictions;
    if (category !== label || predictions < enoughOnBelt || share < manyUnknown) continue;
    if (share > (worst?.share ?? 0)) worst = { belt, share };
  }
  return worst;
}

function totals<R>(rows: readonly R[], name: keyof R, count: keyof R): Map<string, number> {
  const found = new Map<string, number>();
  for (const row of rows) {
    const key = row[name] as string;
    found.set(key, (found.get(key) ?? 0) + (row[count] as number));
  }
  return found;
}

function percent(share: number): string {
  return (100 * share).toFixed(0);
}
