/** The time for spans and stages: by the wall clock, but finer than a millisecond and never going back. */

/** Milliseconds since the epoch. */
export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
