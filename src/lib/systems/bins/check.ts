/** Holds rules to the labels of a model: what names nothing, what never decides, what no bin takes. */
import { nearest } from '../../base/nearest.ts';
import { BinTable } from './decide.ts';
import { globMatcher, isGlob } from './glob.ts';
import type { BinRules } from './rules.ts';

export interface PatternFault {
  bin: string;
  /** The class or glob as the rules have it. */
  pattern: string;
  /** Labels that may have been meant; for a glob, labels that hold its words. */
  near: string[];
}

export interface Checked {
  /** Classes that the model does not have. */
  unknown: PatternFault[];
  /** Globs that match none of its labels. */
  empty: PatternFault[];
  /** Globs all of whose labels another rule decides. */
  shadowed: { bin: string; pattern: string }[];
  /** Labels that go to the manual bin, for no rule has them. */
  unmapped: string[];
  /** How many labels each bin has, in the order of the rules. */
  labels: { bin: string; labels: number }[];
}

export function hasFaults({ unknown, empty }: Checked): boolean {
  return unknown.length > 0 || empty.length > 0;
}

export function checkRules(rules: BinRules, labels: readonly string[]): Checked {
  const table = new BinTable(rules);
  const names = labels.map((label) => label.normalize());
  const all = new Set(names);
  const checked: Checked = { unknown: [], empty: [], shadowed: [], unmapped: [], labels: [] };
  for (const rule of rules.bins) {
    const { bin } = rule;
    checked.labels.push({ bin, labels: labels.filter((label) => table.ruleOf(label) === rule).length });
    for (const pattern of rule.classes) {
      if (all.has(pattern.normalize())) continue;
      if (!isGlob(pattern)) {
        const near = checked.unknown.length < mostSuggested ? nearLabels(pattern, labels) : [];
        checked.unknown.push({ bin, pattern, near });
        continue;
      }
      const matches = globMatcher(pattern.normalize());
      const matched = names.filter(matches);
      if (matched.length === 0) {
        const near = checked.empty.length < mostSuggested ? nearGlob(pattern, labels) : [];
        checked.empty.push({ bin, pattern, near });
      } else if (!matched.some((label) => table.ruleOf(label) === rule))
        checked.shadowed.push({ bin, pattern });
    }
  }
  checked.unmapped = labels.filter((label) => table.ruleOf(label) === null);
  return checked;
}

const mostNear = 3;
/** Faults that are given labels near them; to look for these takes time. */
const mostSuggested = 100;

/** The label a few edits away, in whatever case; else those that hold the word. */
function nearLabels(word: string, labels: readonly string[]): string[] {
  const lower = word.toLowerCase();
  const near = nearest(
    lower,
    labels.map((label) => label.toLowerCase()),
  );
  const meant = labels.filter((label) => label.toLowerCase() === near);
  const holding = labels.filter((label) => label.toLowerCase().includes(lower));
  return [...new Set([...meant, ...holding])].slice(0, mostNear);
}

/** Labels that hold the glob's literal part or, where none does, the word nearest to it. */
function nearGlob(glob: string, labels: readonly string[]): string[] {
  const stem = glob
    .toLowerCase()
    .replaceAll(/[*?[\]{}]+/g, ' ')
    .trim();
  if (stem === '') return [];
  const holding = (part: string) => labels.filter((label) => label.toLowerCase().includes(part));
  const found = holding(stem);
  if (found.length > 0) return found.slice(0, mostNear);
  const words = [...new Set(labels.flatMap((label) => label.toLowerCase().split(/[\s,]+/)))];
  const word = nearest(
    stem,
    words.filter((each) => each.length > 1),
  );
  return word === undefined ? [] : holding(word).slice(0, mostNear);
}

export interface ComparedRules {
  /** Bins that only the new rules have, and that only the former have. */
  added: string[];
  removed: string[];
  /** Labels that go to another bin. */
  moved: { label: string; from: string; to: string }[];
  /** The bins of unknown objects, where they are not the same. */
  unknown: { from: string; to: string } | null;
}

/** What new rules change for the labels of a model; confidences and margins aside. */
export function compareRules(before: BinRules, after: BinRules, labels: readonly string[]): ComparedRules {
  const names = ({ bins }: BinRules) => new Set(bins.map(({ bin }) => bin));
  const [had, has] = [names(before), names(after)];
  const [from, to] = [new BinTable(before), new BinTable(after)];
  const binOf = (table: BinTable, label: string) => table.ruleOf(label)?.bin ?? table.rules.manual;
  return {
    added: [...has].filter((bin) => !had.has(bin)),
    removed: [...had].filter((bin) => !has.has(bin)),
    moved: labels
      .map((label) => ({ label, from: binOf(from, label), to: binOf(to, label) }))
      .filter((move) => move.from !== move.to),
    unknown: before.unknown === after.unknown ? null : { from: before.unknown, to: after.unknown },
  };
}
