/** The name a typo was probably meant to be. */

/** The nearest candidate within `most` edits of `word`; undefined where there is none. */
export function nearest(word: string, candidates: readonly string[], most = 3): string | undefined {
  let best: string | undefined;
  let least = most + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word, candidate);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/**
 * The candidate that was probably meant: one that has all words of `word` besides others, or the other way round, for whole words say
 * more than letters; else the nearest. Words that all candidates have, a prefix for one, say nothing.
 */
export function meant(word: string, candidates: readonly string[]): string | undefined {
  const all = candidates.map(wordsOf);
  const words = wordsOf(word);
  const telling = words.filter((part) => !all.every((others) => others.includes(part)));
  const near = candidates.filter((_, i) => {
    const shared = telling.filter((part) => all[i]!.includes(part)).length;
    return shared > 0 && (shared === telling.length || all[i]!.every((part) => words.includes(part)));
  });
  return nearest(word, near, Infinity) ?? nearest(word, candidates);
}

function wordsOf(name: string): string[] {
  return name.split(/[^\p{L}\p{N}]+/u).filter((part) => part !== '');
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row.push(
        Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    }
    previous = row;
  }
  return previous[b.length]!;
}
