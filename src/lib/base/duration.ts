/** Lengths of time as people write them. */

export const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `500ms`, `30s`, `15m`, `1h`, `0`: in milliseconds, up to a year; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  if (text.trim() === '0') return 0;
  const parts = /^(\d{1,9}(?:\.\d{1,3})?)\s*(ms|s|m|h|d)$/.exec(text.trim());
  if (!parts) return undefined;
  const ms = Number(parts[1]) * unitMs[parts[2] as keyof typeof unitMs];
  return ms <= 365 * unitMs.d ? ms : undefined;
}

/** The other way round, in the largest unit that divides it. */
export function durationText(ms: number): string {
  if (ms === 0) return '0';
  const [unit, length] = Object.entries(unitMs).findLast(([, each]) => ms % each === 0)!;
  return `${ms / length}${unit}`;
}
