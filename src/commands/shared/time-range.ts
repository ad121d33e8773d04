/** What --since and --until select. */
import { parseSince } from '../../lib/systems/message/values.ts';

/** Throws UsageError for a time that is none. */
export function timeRange({ since, until }: { since?: string; until?: string }): {
  since?: Date;
  until?: Date;
} {
  const now = new Date();
  return {
    ...(since !== undefined && { since: parseSince(since, now) }),
    ...(until !== undefined && { until: parseSince(until, now, '--until') }),
  };
}
