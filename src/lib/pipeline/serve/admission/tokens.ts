/** Bearer tokens: made here, known only by their hashes, compared in a time that tells nothing. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { TokenHash } from '../../../config/http.ts';

/** 256 random bits: nothing to be guessed, so that a plain hash is enough. */
export function newToken(): string {
  return `vs_${randomBytes(32).toString('base64url')}`;
}

/** The name of the token in an Authorization header; undefined where it holds none that is known. */
export function bearerOf(
  authorization: string | undefined,
  tokens: readonly TokenHash[],
): string | undefined {
  const given = /^Bearer +([\x21-\x7e]{1,500}) *$/i.exec(authorization ?? '')?.[1];
  if (given === undefined) return undefined;
  const sha256 = createHash('sha256').update(given).digest();
  let name: string | undefined;
  // All are compared, so that the time does not tell which one it was.
  for (const token of tokens) if (timingSafeEqual(token.sha256, sha256)) name = token.name;
  return name;
}
