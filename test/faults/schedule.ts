/** The schedule of a seed: which fault when, for how long. Pure, so that the same seed is the same schedule. */
import { Random } from './random.ts';

export interface Entry {
  kind: string;
  /** Quiet time before it, once the fault before it is over and recovered from; ms. */
  gapMs: number;
  /** How long what can last does last; ms. */
  holdMs: number;
  /** Begins while the one before it is still going on. */
  together: boolean;
  /** What else the fault draws. */
  seed: number;
}

export interface Kind {
  kind: string;
  /** Bounds of `holdMs`; a fault of a moment has none. */
  hold?: readonly [number, number];
  /** Most times in a run; unlimited unless told. */
  most?: number;
  /** Never beside another fault, for it takes what that one needs. */
  alone?: boolean;
}

export interface ScheduleOptions {
  entries: number;
  gapMs: readonly [number, number];
  /** Share of the entries that begin beside the one before them. */
  together: number;
}

/** Every kind once, in an order by chance, before any comes again. */
export function schedule(seed: number, kinds: readonly Kind[], options: ScheduleOptions): Entry[] {
  const random = new Random(seed);
  const entries: Entry[] = [];
  const used = new Map<string, number>();
  let deck: Kind[] = [];
  let before: Kind | undefined;
  while (entries.length < options.entries) {
    if (deck.length === 0) {
      deck = random.shuffled(kinds.filter((k) => (used.get(k.kind) ?? 0) < (k.most ?? Infinity)));
      if (deck.length === 0) break;
    }
    const next = deck.shift()!;
    used.set(next.kind, (used.get(next.kind) ?? 0) + 1);
    const [least, most] = next.hold ?? [0, 0];
    const beside = random.next() < options.together;
    entries.push({
      kind: next.kind,
      gapMs: random.whole(...options.gapMs),
      holdMs: random.whole(least, most),
      together: beside && before !== undefined && before.kind !== next.kind && !before.alone && !next.alone,
      seed: random.whole(0, 2 ** 31),
    });
    before = next;
  }
  return entries;
}

/** One line an entry, for the log and for people. */
export function printed(entries: readonly Entry[]): string {
  return entries
    .map((entry, at) => {
      const beside = entry.together ? ', beside the one before' : '';
      const hold = entry.holdMs > 0 ? ` for ${(entry.holdMs / 1000).toFixed(1)} s` : '';
      return `${String(at + 1).padStart(3)}. after ${(entry.gapMs / 1000).toFixed(1)} s${beside}: ${entry.kind}${hold}`;
    })
    .join('\n');
}
