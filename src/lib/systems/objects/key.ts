/** What an object key may be, and the order keys are listed in. The same rules for every store. */
import { badKey } from './object-errors.ts';

/** In bytes of UTF-8; S3's own limit. */
const MAX_KEY_BYTES = 1024;

/** Why `key` is refused; undefined where it is a good key. */
export function objectKeyFault(key: string): string | undefined {
  if (key === '') return 'it is empty';
  if (/\p{Cs}/u.test(key)) return 'it is not valid Unicode';
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return `it is longer than ${MAX_KEY_BYTES} bytes of UTF-8`;
  if (/\p{Cc}/u.test(key)) return 'it holds a control character';
  if (key.startsWith('/')) return 'it begins with "/"';
  for (const segment of key.split('/')) {
    if (segment === '') return 'it holds an empty segment (a doubled "/" or one at the end)';
    if (segment === '.' || segment === '..') return `it holds the segment "${segment}"`;
  }
  return undefined;
}

/** Throws ObjectError `bad_key` where `key` breaks the rules. */
export function checkKey(key: string): void {
  const fault = objectKeyFault(key);
  if (fault !== undefined) throw badKey(key, fault);
}

/** The order of the UTF-8 bytes, which `<` on JavaScript strings (UTF-16) is not. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above every other UTF-16 unit. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
