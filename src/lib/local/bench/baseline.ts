/** Holds a benchmark against an earlier one: by its ratios alone, because machines and their days differ in speed. */
import { z } from 'zod';
import { errorMessage, UsageError } from '../../base/errors.ts';
import { readTextFile } from '../../base/files/text-file.ts';
import { table } from '../../base/report/table.ts';
import type { StageFindings } from './stage.ts';

/** What is compared, and whether more of it is better. */
const compared = { rooflineRatio: true, cpuOverRoofline: false } as const;
/** By so much it may be worse: on a machine that others use, the ratios vary by some 12 % from run to run. */
const tolerance = 0.25;

export interface Comparison {
  finding: string;
  baseline: number;
  now: number;
  /** 0.1: a tenth worse than the baseline; negative: better. */
  worseBy: number;
  ok: boolean;
}

const document = z.object({
  findings: z.object({ rooflineRatio: z.number().positive(), cpuOverRoofline: z.number().positive() }),
});

export type Baseline = z.infer<typeof document>;

/** `file` holds what `bench --json` printed. Throws a UsageError where it does not. */
export function readBaseline(file: string): Baseline {
  const hint = 'Make one: visionscale bench <dir> --stages end-to-end --json > baseline.json';
  let text: string;
  try {
    text = readTextFile(file, { mostBytes: 1_000_000 });
  } catch (error) {
    throw new UsageError(`${file} ${errorMessage(error)}`, hint);
  }
  try {
    return document.parse(JSON.parse(text));
  } catch {
    throw new UsageError(`${file} is not what bench --json prints`, hint);
  }
}

export function compare(baseline: Baseline, findings: StageFindings): Comparison[] {
  return Object.entries(compared).map(([finding, moreIsBetter]) => {
    const before = baseline.findings[finding as keyof typeof compared];
    const now = Number(findings[finding]);
    const worseBy = (moreIsBetter ? before / now : now / before) - 1;
    return { finding, baseline: before, now, worseBy, ok: worseBy <= tolerance };
  });
}

export function comparisonReport(comparisons: readonly Comparison[]): string {
  const percent = (share: number) => `${share > 0 ? '+' : ''}${(100 * share).toFixed(0)} %`;
  const verdict = comparisons.every(({ ok }) => ok)
    ? 'as fast as the baseline'
    : `slower than the baseline by more than ${100 * tolerance} %`;
  return `${table(comparisons, [
    { title: 'finding', value: (c) => c.finding },
    { title: 'baseline', value: (c) => c.baseline.toFixed(2), align: 'right' },
    { title: 'now', value: (c) => c.now.toFixed(2), align: 'right' },
    {
      title: 'worse by',
      value: (c) => percent(c.worseBy),
      align: 'right',
      style: (c) => (c.ok ? 'ok' : 'error'),
    },
  ])}\n\n${verdict}`;
}
