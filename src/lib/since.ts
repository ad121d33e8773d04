/** `--since` and `--until`: a moment, or a time ago. */
import { UsageError } from './errors.ts';

const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90s`, `15m`, `2h`, `7d`, or anything ISO 8601. Throws UsageError. */
export function parseSince(text: string, now: Date = new Date(), flag = '--since'): Date {
  const ago = /^(\d+(?:\.\d+)?)\s*([smhd])$/.exec(text.trim());
  if (ago) return new Date(now.getTime() - Number(ago[1]) * unitMs[ago[2] as keyof typeof unitMs]);
  const moment = new Date(text);
  if (Number.isNaN(moment.getTime()) || !/^\d{4}-/.test(text.trim())) {
    throw new UsageError(
      `${flag} ${text} is neither a time ago (15m, 2h, 7d) nor a date (2026-11-22T14:00:00Z)`,
    );
  }
  return moment;
}
