/** What a result deserves a look for. */

export type Mark = 'unknown' | 'unsure' | null;

export interface Judged {
  novelty?: number | null;
  binReason: string | null;
}

export function markOf({ novelty, binReason }: Judged): Mark {
  if (typeof novelty === 'number' && novelty >= 1) return 'unknown';
  return binReason === 'low_confidence' || binReason === 'low_margin' ? 'unsure' : null;
}
