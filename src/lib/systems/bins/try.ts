/** What new rules would have done with results that are there: how many go to which bin, now and then, and which move. */
import { BinTable, decideBin, type Sorted } from './decide.ts';
import type { BinRules } from './rules.ts';

/** A result, as much of it as tells which one it is. */
export interface TriedResult extends Sorted {
  id: string;
  imageKey: string;
  category: string;
}

export interface TriedRules {
  results: number;
  /** Bins that got something, now or then; the fullest then first. */
  bins: { bin: string; now: number; then: number }[];
  /** Results that go to another bin, the most frequent move first; `from` null: there are no rules now. */
  moves: Move[];
}

interface Move {
  from: string | null;
  to: string;
  results: number;
  /** Some of them. */
  examples: Pick<TriedResult, 'id' | 'imageKey' | 'category'>[];
}

/** Of all moves together. */
const mostExamples = 12;

/** Deadlines play no part, for the rules do not change them. `now` null: nothing is in force. */
export function tryRules(now: BinRules | null, then: BinRules, results: readonly TriedResult[]): TriedRules {
  const [before, after] = [now && new BinTable(now), new BinTable(then)];
  const bins = new Map<string, { bin: string; now: number; then: number }>();
  const moves = new Map<string, Move & { all: TriedResult[] }>();
  const count = (bin: string, when: 'now' | 'then') => {
    const counts = bins.get(bin) ?? { bin, now: 0, then: 0 };
    counts[when]++;
    bins.set(bin, counts);
  };
  for (const result of results) {
    const from = before && decideBin(before, result).bin;
    const to = decideBin(after, result).bin;
    if (from !== null) count(from, 'now');
    count(to, 'then');
    if (from === to) continue;
    const id = JSON.stringify([from, to]);
    const move = moves.get(id) ?? { from, to, results: 0, examples: [], all: [] };
    move.results++;
    if (move.all.length < mostExamples) move.all.push(result);
    moves.set(id, move);
  }
  const sorted = [...moves.values()].toSorted((a, b) => b.results - a.results);
  const each = Math.max(1, Math.floor(mostExamples / Math.max(1, sorted.length)));
  return {
    results: results.length,
    bins: [...bins.values()].toSorted((a, b) => b.then - a.then || b.now - a.now),
    moves: sorted.map(({ all, ...move }, n) => ({
      ...move,
      examples: (n < mostExamples ? all.slice(0, each) : []).map(({ id, imageKey, category }) => ({
        id,
        imageKey,
        category,
      })),
    })),
  };
}
