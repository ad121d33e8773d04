/** Decides the bin of one classification. */
import { type Classification, isUnknown } from '../../base/classification.ts';
import { globMatcher, isGlob } from './glob.ts';
import type { BinReason, BinRule, BinRules } from './rules.ts';

export interface BinDecision {
  bin: string;
  reason: BinReason;
}

/** Rules made ready for use: each class is looked up once, and then known. Names that look the same are the same (NFC). */
export class BinTable {
  readonly rules: BinRules;
  readonly #exact = new Map<string, BinRule>();
  readonly #globs: { matches: (name: string) => boolean; rule: BinRule }[] = [];
  readonly #known = new Map<string, BinRule | null>();

  constructor(rules: BinRules) {
    this.rules = rules;
    for (const rule of rules.bins) {
      for (const pattern of rule.classes) {
        const name = pattern.normalize();
        if (isGlob(name)) this.#globs.push({ matches: globMatcher(name), rule });
        if (!this.#exact.has(name)) this.#exact.set(name, rule);
      }
    }
  }

  /** A class that is named goes before globs, of which the first in the file that matches decides; null: no rule has it. */
  ruleOf(category: string): BinRule | null {
    let rule = this.#known.get(category);
    if (rule === undefined) {
      const name = category.normalize();
      rule = this.#exact.get(name) ?? this.#globs.find(({ matches }) => matches(name))?.rule ?? null;
      if (this.#known.size < mostKnown) this.#known.set(category, rule);
    }
    return rule;
  }
}

/** No model has as many classes: it only bounds the memory. */
const mostKnown = 100_000;

/** Sums of floating-point percentages are not exact to the last digit. */
const rounding = 1e-9;

/** What a bin is decided by: the likeliest class first, confidences in percent. */
export interface Sorted extends Pick<Classification, 'top'> {
  novelty?: number | null;
}

/**
 * Known, mapped, confident enough, far enough ahead of the second: the first that fails is the reason. What is late is for the
 * recording transaction to tell, by the server's clock.
 */
export function decideBin(table: BinTable, { top, novelty }: Sorted): BinDecision {
  if (isUnknown(novelty)) return { bin: table.rules.unknown, reason: 'unknown' };
  const manual = (reason: BinReason) => ({ bin: table.rules.manual, reason });
  const [first, second] = top;
  const rule = first === undefined ? null : table.ruleOf(first.category);
  if (first === undefined || rule === null) return manual('unmapped');
  if (first.confidence + rounding < rule.confidence) return manual('low_confidence');
  if (first.confidence - (second?.confidence ?? 0) + rounding < rule.margin) return manual('low_margin');
  return { bin: rule.bin, reason: 'mapped' };
}
