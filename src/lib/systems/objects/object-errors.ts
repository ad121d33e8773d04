/** The ObjectErrors that speak of one object, in the same words for every store. */
import { ObjectError } from '../../base/errors.ts';

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
  return new ObjectError(`${url} does not give object ${quoteKey(key)}: ${said}`, {
    code: 'refused',
    hint: 'Other objects of that store can be had. Where it is encrypted: enable its key, or upload it without one.',
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
