/** What two models say of the same images: where they agree, which is right more often, and where they differ. Pure. */
import { isUnknown } from '../../base/classification.ts';
import type { ComparisonResult } from '../../pipeline/serve/context.ts';
import type { Example } from '../datasets/dataset.ts';
import { groupsOf } from '../groups/groups.ts';
import { groupBy, seriesOf } from '../groups/series.ts';
import { type Answered, compare, type Compared, distinctNames, type Run, top1 } from './comparison.ts';
import type { Fingerprint } from './duplicates.ts';
import { recommend } from './recommend.ts';

/** Of those that differ and of those that cannot be used. */
const mostTold = 50;

/** An image that can be read; its path is its key, and its label is -1 where not both models have it. */
export interface Picture extends Example {
  /** What it really is; null where nobody has said. */
  truth: string | null;
  print: Fingerprint;
}

export type Fault = ComparisonResult['unusable']['some'][number];

/** Names of classes are compared in this form. */
export function nameOf(label: string): string {
  return label.normalize();
}

/** `labels`: those that both models have. */
export function comparisonResult(
  labels: readonly string[],
  { images, runs }: Pick<Answered<Picture>, 'images' | 'runs'>,
  faults: readonly Fault[],
): ComparisonResult {
  const says = (run: Run, i: number) => nameOf(run.answers[i]!.top[0]!.category);
  const isRight = (run: Run, i: number) => says(run, i) === nameOf(images[i]!.truth!);
  const differing = [...images.keys()].filter((i) => new Set(runs.map((run) => says(run, i))).size > 1);
  const judged = [...images.keys()].filter((i) => images[i]!.label >= 0).sort(byClass(images));
  const { compared, verdict } = judgedOnly(labels, { images, runs }, judged);
  const onlyRight = (run: Run) =>
    judged.filter((i) => isRight(run, i) && runs.every((other) => other === run || !isRight(other, i)))
      .length;
  return {
    images: images.length,
    agree: images.length - differing.length,
    models: runs.map((run, at) => {
      const judgedModel = compared?.models[at];
      return {
        top1: judgedModel === undefined ? null : top1(judgedModel),
        interval95: judgedModel?.interval95 ?? null,
        behind: judgedModel?.behind ?? null,
        onlyRight: onlyRight(run),
        ms: run.cost.ms,
        unknown: run.cost.unknown ?? null,
      };
    }),
    labelled: {
      images: judged.length,
      groups: compared?.groups ?? { count: 0, largest: 0 },
      leftOut: counted(images.flatMap(({ label, truth }) => (label < 0 && truth !== null ? [truth] : []))),
    },
    verdict,
    differ: shownFirst(differing, images, (i) => runs.filter((run) => isRight(run, i)).length).map((i) => {
      const { path: imageKey, truth: label } = images[i]!;
      const said = runs.map((run) => {
        const { top, novelty } = run.answers[i]!;
        const { category, confidence } = top[0]!;
        return {
          category,
          confidence,
          unknown: isUnknown(novelty),
          right: label === null ? null : isRight(run, i),
        };
      });
      return { imageKey, label, said };
    }),
    unusable: { count: faults.length, some: faults.slice(0, mostTold) },
  };
}

/** As folders of classes are read: in whatever order images come, they are divided into the same groups. */
function byClass(images: readonly Picture[]): (a: number, b: number) => number {
  const place = (i: number) => `${nameOf(images[i]!.truth!)}/${images[i]!.path}`;
  return (a, b) => (place(a) < place(b) ? -1 : 1);
}

function judgedOnly(
  labels: readonly string[],
  { images, runs }: Pick<Answered<Picture>, 'images' | 'runs'>,
  judged: readonly number[],
): { compared: Compared | null; verdict: ComparisonResult['verdict'] } {
  if (judged.length === 0) return { compared: null, verdict: null };
  const own = judged.map((i) => images[i]!);
  const series = seriesOf(
    own,
    own.map(({ print }) => print),
  );
  const groups = groupsOf(own, series, (i) => own[i]!.print.pixels);
  const compared = compare(
    distinctNames(runs.map(({ model }) => model.info)),
    labels,
    { images: own, runs: runs.map((run) => ({ ...run, answers: judged.map((i) => run.answers[i]!) })) },
    [...groups],
  );
  const { model, because, words } = recommend(compared);
  return { compared, verdict: { digest: model?.judgement.model.digest ?? null, because, words } };
}

/** Those that one model alone got right, then those that somebody has labelled, then the others; in the order of `images` each. */
function shownFirst(
  differing: readonly number[],
  images: readonly Picture[],
  right: (i: number) => number,
): number[] {
  const turn = (i: number) => (images[i]!.truth === null ? 2 : right(i) > 0 ? 0 : 1);
  return differing.toSorted((a, b) => turn(a) - turn(b)).slice(0, mostTold);
}

function counted(labels: readonly string[]): { label: string; images: number }[] {
  return [...groupBy(labels, (label) => label)].map(([label, own]) => ({ label, images: own.length }));
}
