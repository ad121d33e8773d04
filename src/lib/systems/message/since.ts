/** `--since` and `--until`: a moment, or a time ago. */
import { UsageError } from '../../base/errors.ts';
import { isoTime } from './time.ts';

const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90s`, `15m`, `2h`, `7d`, or a day or a moment in ISO 8601. Throws UsageError. */
export function parseSince(text: string, now: Date = new Date(), flag = '--since'): Date {
  const ago = /^(\d+(?:\.\d+)?)\s*([smhd])$/.exec(text.trim());
  if (ago) {
    const ms = now.getTime() - Number(ago[1]) * unitMs[ago[2] as keyof typeof unitMs];
    return new Date(Math.max(0, ms));
  }
  const moment = isoTime(text.trim());
  if (moment !== null) return new Date(moment);
  throw new UsageError(
    `${flag} ${text} is neither a time ago (15m, 2h, 7d) nor a date (2026-11-22T14:00:00Z)`,
  );
}
