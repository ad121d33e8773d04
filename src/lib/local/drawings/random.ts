/** Random numbers that are the same for the same seed, on every platform. */

/** A source of numbers from 0 (included) to 1 (excluded). */
export type Random = () => number;

/** The `stream`-th source of a seed; sources of one seed have nothing to do with each other. Both are integers. */
export function openRandom(seed: number, stream: number): Random {
  let state = mixed(mixed(seed | 0) ^ Math.imul(stream + 1, 0x9e3779b1));
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    return mixed(state) / 2 ** 32;
  };
}

/** The finaliser of MurmurHash3: every bit of the input changes half of the output's. */
function mixed(value: number): number {
  let x = value;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

export function between(random: Random, low: number, high: number): number {
  return low + (high - low) * random();
}

/** An integer; both ends included. */
export function integer(random: Random, low: number, high: number): number {
  return low + Math.floor((high - low + 1) * random());
}

export function chance(random: Random, share: number): boolean {
  return random() < share;
}

export function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(values.length * random())]!;
}

/** A copy in another order. */
export function shuffled<T>(random: Random, values: readonly T[]): T[] {
  const copy = [...values];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = integer(random, 0, i);
    [copy[i], copy[j]] = [copy[j]!, copy[i]!];
  }
  return copy;
}
