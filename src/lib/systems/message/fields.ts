/** Values from outside (headers, envelopes, events), checked before anything is made of them: what does not hold is null. */
import { bareTime, isoTime } from './time.ts';

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
