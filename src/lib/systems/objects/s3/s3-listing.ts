/** Keys as S3 lists them. */

/**
 * Listings are asked for with `encoding-type=url`, since XML cannot hold every character a key may. A server that does
 * not do it does not say so in its answer, and its keys are plain.
 */
export function decodeListedKey(key: string, encoding: string | undefined): string {
  if (encoding !== 'url') return key;
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return key; // says it is encoded, and is not
  }
}
