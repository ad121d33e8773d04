/** Times from outside. */

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
