/** The object store: images by key, what a key may be, and errors in the same words for `file.ts`, `s3.ts` and what comes after. */
import { ObjectError } from '../../base/errors.ts';

export interface ObjectInfo {
  key: string;
  bytes: number;
}

export interface PutOptions {
  contentType: string;
  /** Of the body, in hex, where the caller has it: a store need not compute it again. */
  sha256?: string;
}

export interface GetOptions {
  /** Larger objects are refused with `too_large` before they are read whole. */
  maxBytes: number;
  /** Aborted: `get` rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Awaited once the size is known, before the bytes take memory. Where a server does not tell, it is `maxBytes`. */
  admit?: (bytes: number) => Promise<void>;
}

/**
 * Keys are any UTF-8 text of 1 to 1024 bytes without control characters, and may hold spaces, `#`, `%`, `+`, leading
 * dots and `/`; a key with an empty, `.` or `..` segment, or a leading `/`, is refused with `bad_key` so that no path
 * leaves its directory (`checkKey`). `a` and `a/b` are both good keys; a server that keeps objects as files may refuse
 * the second with `bad_key`.
 *
 * Errors are ObjectError, never with a secret in them. Of the one object (`ofObject`): `not_found`, `too_large`,
 * `bad_key`, `archived` (in a tier that cannot be read), `refused` (encrypted with a key that cannot be had, withheld).
 * Of settings, rights and servers: `access_denied`, `no_credentials`, `bucket_missing`, `refused` (anything else the
 * server will not do); and, the only ones that are retryable, `unavailable`: away, slow, failing, full, and `store_tls`: its
 * certificate is not trusted.
 */
export interface ObjectStore extends AsyncDisposable {
  readonly kind: 'file' | 's3';
  /** Where it is, in the form of VISIONSCALE_STORE; carries no secret. */
  readonly url: string;
  /** Makes the bucket or directory where it is missing. Safe from two hosts at once. */
  create(): Promise<{ created: boolean }>;
  /**
   * Whether the bucket or directory is there. Throws `access_denied` where it may not be listed. `quick`: by the cheapest
   * request, which a page that is there whatever is asked for may answer too; for who asks again and again.
   */
  exists(options?: { quick?: boolean }): Promise<boolean>;
  /** Replaces atomically: a reader sees the old bytes or the new ones. Durable when it resolves. */
  put(key: string, body: Buffer, options: PutOptions): Promise<void>;
  /** Without what its Content-Encoding names. Throws an ImageError where that is unknown or broken, too. */
  get(key: string, options: GetOptions): Promise<Buffer>;
  /** Null where there is none. */
  head(key: string): Promise<ObjectInfo | null>;
  /** Removing what is not there succeeds. */
  remove(key: string): Promise<void>;
  /**
   * All objects whose keys begin with `prefix`, in byte order of their keys, streamed page by page. What no key names
   * is left out: directory markers, temporary files, symbolic links.
   */
  list(prefix?: string): AsyncIterable<ObjectInfo>;
}

/** The ObjectErrors that speak of one object, in the same words for every store. */
export function badKey(key: string, fault: string, cause?: unknown): ObjectError {
  return new ObjectError(`${quoteKey(key)} cannot be an object key: ${fault}`, {
    code: 'bad_key',
    hint: 'Keys are 1 to 1024 bytes of UTF-8 without control characters or empty, "." and ".." segments.',
    cause,
  });
}

export function notFound(key: string, url: string): ObjectError {
  return new ObjectError(`no object ${quoteKey(key)} in ${url}`, {
    code: 'not_found',
    hint: 'Upload it, or check that VISIONSCALE_STORE is the store it was uploaded to.',
  });
}

/** `said`: the server's words. */
export function archived(key: string, url: string, said: string, cause?: unknown): ObjectError {
  return new ObjectError(`object ${quoteKey(key)} in ${url} is archived and cannot be read: ${said}`, {
    code: 'archived',
    hint: 'Restore it to a tier that can be read, then `visionscale dead-letters retry --code archived`.',
    cause,
  });
}

export function refusedObject(key: string, url: string, said: string, cause?: unknown): ObjectError {
  return new ObjectError(`${url} refuses to return object ${quoteKey(key)}: ${said}`, {
    code: 'refused',
    hint: 'Other objects in that store are readable. If this one is encrypted, enable its key, or upload it without one.',
    cause,
    ofObject: true,
  });
}

/** `bytes` undefined: it has not said how many, and more than `maxBytes` have come. */
export function tooLarge(key: string, bytes: number | undefined, maxBytes: number): ObjectError {
  const size = bytes === undefined ? '' : ` (${bytes})`;
  return new ObjectError(`object ${quoteKey(key)} has more bytes than the ${maxBytes} allowed${size}`, {
    code: 'too_large',
  });
}

/** A key for messages: control characters escaped (a terminal would obey them), long ones cut. */
export function quoteKey(key: string): string {
  const text = JSON.stringify(key.length > 120 ? `${key.slice(0, 120)}…` : key);
  return text.replace(/\p{Cc}/gu, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}

// What an object key may be, and the order keys are listed in. The same rules for every store.

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
