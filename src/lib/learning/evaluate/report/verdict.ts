/** What the numbers mean, in plain words: is this good enough, and what is to be photographed next? Pure. */
import { percent } from '../../../base/report/table.ts';
import { median } from '../../../base/statistics.ts';
import { wilson, type Interval } from '../../../base/statistics.ts';
import { worstMistakes, type Judgement } from '../judge.ts';
import { confusedPairs, type ClassMetrics } from '../metrics.ts';
import { smallestClasses, images, list } from './counts.ts';
import type { ReportInput } from './input.ts';

export interface Verdict {
  grade: 'yes' | 'nearly' | 'no' | 'unknown';
  /** One line. */
  answer: string;
  /** How sure that is, and what it does not hold for. */
  because: string[];
  /** What to do next, the most useful first. */
  next: string[];
}

/** Below so many images an accuracy says little, whatever it is. */
const fewImages = 50;
/** What nearly always right means: the least that the accuracy may really be. */
const good = 0.95;
const fair = 0.85;
/** A mistake that the model was so sure of is often the label's. */
const sure = 0.9;
/** Half the width of the interval that a hold-out should allow. */
const wantedPrecision = 0.02;

export function verdict(input: ReportInput): Verdict {
  const { judgement } = input;
  const interval = accuracyInterval(input, judgement);
  const weak = weakClasses(judgement);
  const unknown = unknownWorth(input);
  const answer = unknown
    ? { grade: 'unknown' as const, answer: unknown }
    : grade(judgement, interval ?? independentInterval(input, judgement), weak);
  const sure = interval === undefined ? groupsLine(input) : certainty(judgement, interval);
  return {
    ...answer,
    because: [...sure, ...flatteryLines(input, judgement), ...limits(input, judgement, weak)],
    next: [...occasionSteps(input, judgement), ...nextSteps(input, judgement, weak)].slice(0, mostSteps),
  };
}

/** Fewer pictures of a class can hardly be parted into occasions. */
const leastToPart = 12;

/** Why the accuracy says nothing about other pictures; undefined where it does. */
function unknownWorth({ holdOut, counts, judgement: { metrics } }: ReportInput): string | undefined {
  if (holdOut === undefined || metrics.count === 0) return undefined;
  if (holdOut.mixed) return 'Unknown: all pictures of a class belong to one group.';
  if (holdOut.isGiven || holdOut.isNamed || counts === undefined || counts.length === 0) return undefined;
  const typical = median(counts.map(({ train, held }) => train + held));
  if (typical >= leastToPart) return undefined;
  return (
    `Too early to say: ${percent(metrics.top1)} of ${images(metrics.count)} are correct, but ${images(typical)} per class ` +
    'are too few to tell occasions apart. On other occasions the accuracy may be far lower.'
  );
}

/** The 95 % interval of the accuracy; undefined where the images are not independent, so that there is none. */
export function accuracyInterval({ holdOut }: ReportInput, { metrics }: Judgement): Interval | undefined {
  if (holdOut !== undefined && (holdOut.groups.largest > 1 || holdOut.mixed)) return undefined;
  return wilson(Math.round(metrics.top1 * metrics.count), metrics.count);
}

/** To grade by, not to tell: as if each group were one picture. */
function independentInterval({ holdOut }: ReportInput, { metrics }: Judgement): Interval {
  const count = Math.min(metrics.count, holdOut?.groups.count ?? metrics.count);
  return wilson(Math.round(metrics.top1 * count), count);
}

function groupsLine({ holdOut, judgement }: ReportInput): string[] {
  if (holdOut === undefined) return [];
  const { count } = judgement.metrics;
  if (holdOut.mixed) {
    return [
      'Pictures of one group had to be on both sides, so the accuracy says nothing about other pictures.',
    ];
  }
  const apart = holdOut.isGiven ? '' : ', none of them in the training set';
  return [
    `This rests on ${groups(holdOut.groups.count)} of similar pictures (${images(count)})${apart}. ` +
      'Pictures of one group are not independent, so there is no confidence interval.',
  ];
}

/** Points of difference from which on it is to be explained. */
const muchApart = 0.05;

/** Where similar pictures on both sides would make, or make, the accuracy look better. */
function flatteryLines({ holdOut }: ReportInput, { metrics: { top1 } }: Judgement): string[] {
  if (holdOut === undefined || holdOut.mixed) return [];
  const { isGiven, ungroupedTop1, crossValidatedTop1 } = holdOut;
  if (!isGiven && ungroupedTop1 !== undefined && ungroupedTop1 - top1 > muchApart) {
    return [
      `With similar pictures on both sides it would be ${percent(ungroupedTop1)}, which is too optimistic: the model would ` +
        'be tested on series it was trained on. Expect the accuracy given here on new objects and occasions.',
    ];
  }
  if (isGiven && crossValidatedTop1 !== undefined && top1 - crossValidatedTop1 > muchApart) {
    return [
      `Within the training set, with similar pictures kept together, ${percent(crossValidatedTop1)} are correct. ` +
        'If the hold-out shows the same objects and occasions as the training set, its accuracy is too optimistic.',
    ];
  }
  return [];
}

function occasionSteps(input: ReportInput, judgement: Judgement): string[] {
  const { holdOut } = input;
  if (holdOut === undefined) return [];
  const alike = holdOut.oneGroup;
  const steps =
    alike.length > 0
      ? [`Photograph other objects of ${list(alike)}, on other occasions: all their pictures are one group.`]
      : [];
  if (flatteryLines(input, judgement).length > 0) {
    steps.push(
      'Photograph more objects of each class, on more occasions (days, places, light): more pictures of the same ones ' +
        'help little.',
    );
  }
  return steps;
}

function groups(count: number): string {
  return count === 1 ? '1 group' : `${count} groups`;
}

function grade(
  { metrics }: Judgement,
  { low }: Interval,
  weak: readonly ClassMetrics[],
): Pick<Verdict, 'grade' | 'answer'> {
  const { top1, count } = metrics;
  if (count === 0) return { grade: 'unknown', answer: 'Unknown: there were no images to evaluate on.' };
  const told = `${percent(top1)} of ${images(count)} are correct`;
  if (count < fewImages) {
    return { grade: 'unknown', answer: `Too early to say: ${told}, and ${count} are too few to rely on.` };
  }
  if (noBetterThanGuessing(metrics.perClass, top1)) {
    return { grade: 'no', answer: `No: ${told}, no better than always answering the largest class.` };
  }
  if (low >= good) {
    const but = weak.length > 0 ? `, but not for ${list(weak.map(({ label }) => label))}` : '';
    return { grade: weak.length > 0 ? 'nearly' : 'yes', answer: `Yes for most uses${but}: ${told}.` };
  }
  if (low >= fair)
    return { grade: 'nearly', answer: `Nearly: ${told}. Good enough for sorting that a person checks.` };
  return { grade: 'no', answer: `Not yet for sorting on its own: ${told}.` };
}

function noBetterThanGuessing(perClass: readonly ClassMetrics[], top1: number): boolean {
  const counts = perClass.map(({ count }) => count).filter((count) => count > 0);
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.length > 1 && top1 <= Math.max(...counts) / total;
}

function certainty({ metrics }: Judgement, { low, high }: Interval): string[] {
  const { top1, count } = metrics;
  if (count === 0) return [];
  const [fewest, most] = [Math.floor(1000 * (1 - high)), Math.ceil(1000 * (1 - low))];
  const lines = [
    `On images like these the accuracy is between ${percent(low)} and ${percent(high)} (95 % confidence): ` +
      `of 1000 objects, ${fewest} to ${most} would be sorted wrongly.`,
  ];
  const needed = Math.ceil((1.96 ** 2 * top1 * (1 - top1)) / wantedPrecision ** 2);
  if ((high - low) / 2 > wantedPrecision && needed > count) {
    lines.push(`For ±2 %, evaluate it on about ${Math.ceil(needed / 50) * 50} images.`);
  }
  return lines;
}

/** What makes the accuracy mean less than it seems to. */
function limits(input: ReportInput, judgement: Judgement, weak: readonly ClassMetrics[]): string[] {
  const { metrics } = judgement;
  const lines: string[] = [];
  if (weak.length > 0) {
    const shown = weak.slice(0, 5).map(({ label, recall }) => `${label} (${percent(recall, 0)})`);
    lines.push(`Weakest classes, with their recall: ${list(shown)}.`);
  }
  const unsure = metrics.perClass.filter(({ count }) => count > 0 && count < 5).map(({ label }) => label);
  if (unsure.length > 0) {
    lines.push(`Fewer than 5 test images of ${list(unsure)}: how well they are recognised is unknown.`);
  }
  const copies = new Set((input.duplicates ?? []).map(({ held }) => held));
  if (input.holdOut?.oneGroup.length && !input.holdOut.mixed) {
    lines.push(`Not evaluated, because all their pictures are one group: ${list(input.holdOut.oneGroup)}.`);
  }
  if (copies.size > 0 && input.holdOut?.duplicatesLeftOut) {
    lines.push(
      `Left out: ${images(copies.size)} of the hold-out with a (near-)duplicate in the training set.`,
    );
  } else if (copies.size > 0) {
    const rest = judgement.answers.filter(({ path }) => !copies.has(path));
    const right = rest.filter(({ truth, top }) => top[0]?.label === truth).length;
    lines.push(
      `${copies.size} of the test images ${copies.size === 1 ? 'has' : 'have'} a (near-)duplicate in the training set: ` +
        (rest.length > 0
          ? `without them the accuracy is ${percent(right / rest.length)}.`
          : 'this accuracy means nothing.'),
    );
  }
  return lines;
}

/** Recognised clearly worse than most uses bear: not by the chance of few images. */
export function weakClasses({ metrics }: Judgement): ClassMetrics[] {
  return metrics.perClass
    .filter(({ recall, count }) => recall !== null && count >= 5 && recall < 0.8)
    .filter(({ recall, count }) => wilson(Math.round(recall! * count), count).high < good)
    .sort((a, b) => a.recall! - b.recall!);
}

/** Most advice: more would not be read. */
const mostSteps = 8;

function nextSteps(input: ReportInput, judgement: Judgement, weak: readonly ClassMetrics[]): string[] {
  const { labels, metrics } = judgement;
  const pairs = confusedPairs(labels, metrics);
  const steps: string[] = [];
  const mistakes = worstMistakes(judgement);
  const certain = mistakes.filter(({ top }) => (top[0]?.score ?? 0) >= sure).length;
  if (certain >= 3) {
    steps.push(
      `First look at the worst mistakes below: ${certain} were made with more than ${percent(sure, 0)} confidence. ` +
        'If the label is wrong, move the image; that needs no new photograph.',
    );
  }
  const small = smallestClasses(input);
  const wish = ({ count, wanted }: (typeof small)[number]) =>
    `${images(count)} to train on, ${wanted} more would make ${count + wanted}`;
  for (const { label, recall, count } of weak.slice(0, 3)) {
    const taken = pairs.find(({ truth, images: n }) => truth === label && n > 1);
    const mostly =
      taken === undefined
        ? ''
        : `, above all ones that look like ${taken.answer} (${taken.images} of ${count} are mistaken for it)`;
    const few = small.find((one) => one.label === label);
    const more = few === undefined ? '' : `; ${wish(few)}`;
    steps.push(`Photograph more of ${label}: ${percent(recall, 0)} are recognised${mostly}${more}.`);
  }
  const told = new Set(weak.slice(0, 3).map(({ label }) => label));
  for (const one of small.filter(({ label }) => !told.has(label)).slice(0, 4)) {
    steps.push(`Photograph ${one.label}: ${wish(one)}.`);
  }
  for (const { truth, answer, images: n } of pairs
    .filter((p) => p.images >= 3 && !told.has(p.truth))
    .slice(0, 3)) {
    steps.push(
      `Photograph ${truth} and ${answer} as the camera will see them, showing how they differ: ` +
        `${images(n)} of ${truth} ${n === 1 ? 'was' : 'were'} mistaken for ${answer}.`,
    );
  }
  if (steps.length === 0 && metrics.count > 0) {
    steps.push(
      mistakes.length === 0
        ? 'No mistakes here. Evaluate it on harder images: other light, other backgrounds, overlapping objects.'
        : 'No class stands out. Photograph more of what it is unsure about in the stream: visionscale results export --below 60 <dir>',
    );
  }
  return steps.slice(0, mostSteps);
}
