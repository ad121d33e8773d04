/** Decoding in several threads at once, where libvips keeps the reasons of failures in one buffer for all of them. */
import { errorMessage } from '../../base/errors.ts';
import { lostReason } from './failures.ts';

/** Runs `decode`; when it fails without a reason, again, until it tells one. */
export async function tryDecoding<T>(decode: () => Promise<T>, retries = 5): Promise<T> {
  for (;;) {
    try {
      return await decode();
    } catch (error) {
      if (retries-- === 0 || errorMessage(error) !== lostReason) throw error;
    }
  }
}
