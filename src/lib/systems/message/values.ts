/** Values from outside (times, headers, envelopes, events), checked before anything is made of them. */
import { unitMs } from '../../base/duration.ts';
import { UsageError } from '../../base/errors.ts';

const lastMs = 253_402_300_800_000;

/** Milliseconds since the epoch in the years 1970 to 9999, which a timestamptz certainly holds; null for anything else. */
export function plausibleTime(ms: number): number | null {
  return Number.isFinite(ms) && ms >= 0 && ms < lastMs ? ms : null;
}

/** Fewer or more digits are seconds, microseconds or a date such as 20261128: 12 and 13 are the years 1973 to 2286. */
const bareMs = { least: 1e11, below: 1e13 };

/** Milliseconds since the epoch as others write them, without a word of what they are. */
export function bareTime(ms: number): number | null {
  return ms >= bareMs.least && ms < bareMs.below ? Math.trunc(ms) : null;
}

const isoForm =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?)?$/i;

/**
 * ISO 8601: a date (its beginning in UTC), or date and time of day down to minutes, seconds or fractions of them, with
 * `Z` or an offset; without one in the time zone of this host. Null for anything else, and for a day or an hour that
 * there is not.
 */
export function isoTime(text: string): number | null {
  const found = isoForm.exec(text);
  if (!found) return null;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((part) => Number(part ?? 0)) as [
    ...[number, number, number],
    ...[number, number, number],
  ];
  const ms = Math.trunc(Number(`0.${found[7] ?? 0}`) * 1000);
  const zone = offsetMs(found[8]);
  const isDay = new Date(Date.UTC(year, month - 1, day)).toISOString().startsWith(found[0].slice(0, 10));
  if (!isDay || hour > 23 || minute > 59 || second > 59 || zone === null) return null;
  const inUtc = found[4] === undefined || zone !== undefined;
  const time = inUtc
    ? Date.UTC(year, month - 1, day, hour, minute, second, ms) - (zone ?? 0)
    : new Date(year, month - 1, day, hour, minute, second, ms).getTime();
  return plausibleTime(time);
}

/** Undefined where none is said; null where there is none of that size. */
function offsetMs(zone: string | undefined): number | null | undefined {
  if (zone === undefined) return undefined;
  if (zone.toUpperCase() === 'Z') return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(3).replace(':', ''))];
  if (hours > 23 || minutes > 59) return null;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

/** How long before its message an image may have been captured, and how far clocks may differ, ms. */
const longestWay = 24 * 3_600_000;
const clockSkew = 60_000;

/**
 * From when a latency counts: from the capture time, where it lies between a day before the message's own time and a
 * minute after it; else from that, for a camera with a wrong clock makes nothing late. Null where no time can be meant.
 */
export function latencyStart(capturedAt: number | null, timestamp: number, now = Date.now()): number | null {
  const sent = timestamp >= bareMs.least ? plausibleTime(timestamp) : null;
  const at = sent ?? now;
  const isSane = capturedAt !== null && capturedAt >= at - longestWay && capturedAt <= at + clockSkew;
  return isSane ? capturedAt : sent;
}

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

// Values from outside (headers, envelopes, events), checked before anything is made of them: what does not hold is null.

/** Text without control characters, of 1 to `maxBytes` bytes of valid UTF-8. */
export function plainText(value: unknown, maxBytes: number): string | null {
  if (typeof value !== 'string' || value === '' || value.length > maxBytes) return null;
  return Buffer.byteLength(value) > maxBytes || /[\p{Cc}\p{Cs}]/u.test(value) ? null : value;
}

/** ISO 8601, or milliseconds since the epoch as a number or as text. */
export function timeOf(value: unknown): number | null {
  if (typeof value === 'number') return bareTime(value);
  if (typeof value !== 'string' || value.length > 64) return null;
  const text = value.trim();
  return /^\d+$/.test(text) ? bareTime(Number(text)) : isoTime(text);
}

const traceparentForm =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?<more>-.*)?$/;

/** The four fields that every version of W3C's trace context has; what a later one adds is left out. */
export function traceparentOf(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > 512) return null;
  const found = traceparentForm.exec(value.trim());
  if (!found || (found.groups?.['more'] !== undefined && found[0].startsWith('00'))) return null;
  return found[0].slice(0, 55);
}

const maxBeltBytes = 256;

export function beltOf(value: unknown): string | null {
  return plainText(value, maxBeltBytes);
}
