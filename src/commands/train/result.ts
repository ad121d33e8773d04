/** What `train` says of its result: the JSON document, and the summary. */
import { printable } from '../../lib/base/printable.ts';
import { styled } from '../../lib/base/report/style.ts';
import { counted, percent } from '../../lib/base/report/table.ts';
import { unknownShare } from '../../lib/learning/evaluate/expected.ts';
import { confidenceLine, unknownLines } from '../../lib/learning/evaluate/report/unknown.ts';
import { accuracyInterval, verdict } from '../../lib/learning/evaluate/report/verdict.ts';
import type { TrainMode } from '../../lib/learning/train/modes.ts';
import type { TrainResult } from '../../lib/learning/train/train.ts';
import { entryLabel, type ModelEntry } from '../../lib/models/store/entry.ts';

export function document(
  result: TrainResult,
  active: ModelEntry | undefined,
  { mode, seed }: { mode: TrainMode; seed: number },
  seconds: number,
): unknown {
  const { entry } = result;
  const shared = {
    model: entry.name,
    version: entry.version,
    digest: entry.digest,
    active: isActive(entry, active),
  };
  if (result.kind === 'reused') {
    const { top1 = null, top5 = null } = entry.manifest?.metrics ?? {};
    return { top1, top5, ...shared, reused: true, path: entry.path };
  }
  const { judgement, comparison, sets, report, interrupted, input } = result;
  const { top1, top5, count } = judgement.metrics;
  return {
    top1,
    top5,
    ...shared,
    reused: false,
    path: entry.path,
    mode,
    seed,
    classes: sets.labels.length,
    images: { train: sets.train.length, held: count },
    interval95: accuracyInterval(input, judgement) ?? null,
    groups: sets.groups,
    ungroupedTop1: input.holdOut?.ungroupedTop1 ?? null,
    comparison,
    unknown: unknownShare(judgement) ?? null,
    novelty: input.novelty ?? null,
    calibration: input.calibration ?? null,
    verdict: verdict(input),
    unreadable: sets.unreadable,
    ...sets.passedOver,
    unjudged: sets.unjudged,
    leftOut: sets.leftOut,
    oneGroup: sets.oneGroup,
    duplicates: sets.duplicates.length,
    interrupted,
    report: report.html,
    metrics: report.metrics,
    seconds,
  };
}

const gradeStyles = { yes: 'ok', nearly: 'warning', no: 'error', unknown: 'warning' } as const;

export function summary(result: TrainResult, active: ModelEntry | undefined): string {
  const { entry } = result;
  const label = entryLabel(entry);
  if (result.kind === 'reused') {
    const top1 = entry.manifest?.metrics?.top1;
    return [
      `${label} already exists${top1 === undefined ? '' : ` (top-1 ${percent(top1)})`}: nothing was trained.`,
      'Train a new version of it: --retrain. Make another model: --name <name>.',
      ...(isActive(entry, active) ? [] : [`Use it: visionscale model use ${label}`]),
    ].join('\n');
  }
  const { judgement, comparison, sets, input, report } = result;
  const { top1, top5, count } = judgement.metrics;
  const { grade, answer, because, next } = verdict(input);
  const { groups } = sets;
  const confidence = confidenceLine(input);
  const together = groups.largest > 1 ? ` in ${counted(groups.count, 'group')} of similar pictures` : '';
  return [
    `${label}: top-1 ${percent(top1)}, top-5 ${percent(top5)} of ${counted(count, 'image')}${together} held out from training`,
    comparison.reason,
    '',
    styled(gradeStyles[grade], printable(answer)),
    ...because.map(printable),
    ...unknownLines(input).map(printable),
    ...(confidence === undefined ? [] : [confidence]),
    '',
    'What to photograph next:',
    ...next.map((step) => `- ${printable(step)}`),
    '',
    `Report: ${report.html}`,
    ...(isActive(entry, active) ? [] : [`Use it: visionscale model use ${label}`]),
  ].join('\n');
}

function isActive(entry: ModelEntry, active: ModelEntry | undefined): boolean {
  return active?.name === entry.name && active.version === entry.version;
}
