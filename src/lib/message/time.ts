/** Times from outside. */

/** Milliseconds since the epoch in the years 1970 to 9999, which a timestamptz certainly holds; null for anything else. */
export function plausibleTime(ms: number): number | null {
  return Number.isFinite(ms) && ms >= 0 && ms < 253_402_300_800_000 ? ms : null;
}
