/** Counts results as they come: by belt, and by bin or, where there are no bin rules, by category. */
import { markOf } from '../shared/marks.ts';

export interface Counted {
  category: string;
  bin: string | null;
  binReason: string | null;
  belt: string | null;
  novelty?: number | null;
}

export interface Tally<R extends Counted = Counted> {
  name: string;
  /** Null: what came after there were too many names. */
  of: 'bin' | 'category' | null;
  count: number;
  unknown: number;
  unsure: number;
  reasons: Map<string, number>;
  latest: R;
  /** Results of the last seconds, by second. */
  seconds: number[];
  second: number;
}

export function groupOf({ bin, category }: Counted): string {
  return bin === null ? `category ${category}` : `bin ${bin}`;
}

/** Names beyond these are counted together, so that whatever comes, the page stays small. */
const most = { groups: 1000, belts: 100, groupsOfBelts: 4000 };
const rateSeconds = 10;
export const others = 'others';

export class Tallies<R extends Counted> {
  readonly #all = new Map<string, Tally<R>>();
  readonly #belts = new Map<string, Map<string, Tally<R>>>();
  #groupsOfBelts = 0;

  add(result: R, now: number): void {
    count(this.#all, result, now, this.#all.size < most.groups);
    const { belt } = result;
    if (belt === null) return;
    let groups = this.#belts.get(belt);
    if (groups === undefined) {
      if (this.#belts.size >= most.belts) return;
      this.#belts.set(belt, (groups = new Map<string, Tally<R>>()));
    }
    const before = groups.size;
    count(groups, result, now, groups.size < most.groups && this.#groupsOfBelts < most.groupsOfBelts);
    this.#groupsOfBelts += groups.size - before;
  }

  get belts(): string[] {
    return [...this.#belts.keys()].sort();
  }

  /** Null: all belts. By group, in the order in which they came. */
  of(belt: string | null): ReadonlyMap<string, Tally<R>> {
    return belt === null ? this.#all : (this.#belts.get(belt) ?? new Map<string, Tally<R>>());
  }
}

function count<R extends Counted>(
  groups: Map<string, Tally<R>>,
  result: R,
  now: number,
  hasRoom: boolean,
): void {
  const isNew = !groups.has(groupOf(result));
  const key = isNew && !hasRoom ? others : groupOf(result);
  let tally = groups.get(key);
  if (tally === undefined) {
    const { bin, category } = result;
    const of = key === others ? null : bin === null ? 'category' : 'bin';
    const name = of === null ? '' : (bin ?? category);
    const seconds = Array.from({ length: rateSeconds }, () => 0);
    const none = { count: 0, unknown: 0, unsure: 0, reasons: new Map<string, number>() };
    groups.set(key, (tally = { name, of, ...none, latest: result, seconds, second: 0 }));
  }
  tally.count++;
  tally.latest = result;
  const mark = markOf(result);
  if (mark !== null) tally[mark]++;
  const { binReason } = result;
  if (binReason !== null) tally.reasons.set(binReason, (tally.reasons.get(binReason) ?? 0) + 1);
  turn(tally, now);
  tally.seconds[tally.second % rateSeconds]!++;
}

/** Empties the seconds that have gone by. */
function turn(tally: Tally, now: number): void {
  const second = Math.floor(now / 1000);
  const gone = Math.min(second - tally.second, rateSeconds);
  for (let n = 0; n < gone; n++) tally.seconds[(second - n) % rateSeconds] = 0;
  tally.second = Math.max(second, tally.second);
}

/** Results a second in the last ten, the one that runs left out. */
export function rateOf(tally: Tally, now: number): number {
  turn(tally, now);
  const past = tally.seconds.filter((_, n) => n !== tally.second % rateSeconds);
  return past.reduce((sum, n) => sum + n, 0) / (rateSeconds - 1);
}
