/** Wrong tokens count against the address that they come from. Who has the right one is not held up by others there. */
import { Problem } from '../problem.ts';
import { network } from './sender.ts';

const windowMs = 60_000;
/** Failures of one address in a window; above them it is not even told whether a token was missing. */
const most = 20;
/** Addresses that are remembered; beyond them the oldest is forgotten. */
const mostAddresses = 10_000;

export class Failures {
  readonly #counts = new Map<string, { from: number; count: number }>();

  /** To be called for each; returns what to answer where there were too many. */
  note(address: string): Problem | undefined {
    const [key, now] = [network(address), performance.now()];
    let seen = this.#counts.get(key);
    if (seen === undefined || now - seen.from >= windowMs) {
      this.#counts.delete(key);
      seen = { from: now, count: 0 };
      this.#counts.set(key, seen);
      const [oldest] = this.#counts.keys();
      if (this.#counts.size > mostAddresses && oldest !== undefined) this.#counts.delete(oldest);
    }
    if (++seen.count <= most) return undefined;
    return new Problem(
      429,
      'too_many_failures',
      'too many requests of this address had no token that is known here',
      {
        hint: 'Send the right token, or wait for the time that Retry-After says.',
        retryAfter: Math.ceil((seen.from + windowMs - now) / 1000),
      },
    );
  }
}
