/** The rules by which classes go to bins, and the reasons for which a result goes where it goes. */
import { createHash } from 'node:crypto';

/** Why a result is in its bin; all but `mapped` and `unknown` mean the manual bin. */
export type BinReason =
  'mapped' | 'unknown' | 'unmapped' | 'low_confidence' | 'low_margin' | 'missed_deadline';

export interface BinRule {
  bin: string;
  /** Names of classes, and globs. */
  classes: string[];
  /** Least confidence of the first class, in percent; 0: any. */
  confidence: number;
  /** Least distance between the first class and the second, in percent points; 0: any. */
  margin: number;
}

/** In the order of the file, defaults filled in. */
export interface BinRules {
  /** Where everything goes that no rule may decide. */
  manual: string;
  /** Where an object goes that is like none of the model's classes. */
  unknown: string;
  bins: BinRule[];
}

/** Where results go when nobody says otherwise. */
export const manualBin = 'manual';

/** The same for the same rules, however their file is written, and by versions that knew of no unknown objects. */
export function rulesDigest({ manual, unknown, bins }: BinRules): string {
  const canonical = bins.map(({ bin, classes, confidence, margin }) => [bin, classes, confidence, margin]);
  return `sha256:${createHash('sha256')
    .update(JSON.stringify(unknown === manual ? [manual, canonical] : [manual, canonical, { unknown }]))
    .digest('hex')}`;
}
