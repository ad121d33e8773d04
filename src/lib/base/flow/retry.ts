/** Tries again what may pass, with exponential backoff and jitter: half of the wait to all of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, isRetryable, type VisionscaleError } from '../errors.ts';

export interface RetryOptions {
  /** Cuts a wait short: the last error is thrown then. A running attempt is not interrupted. */
  signal: AbortSignal;
  /** Told before each wait. */
  onWait?: (error: unknown, delayMs: number, attempt: number) => void;
  /** Default: errors that say a retry can help. */
  shouldRetry?: (error: unknown) => boolean;
  /** Most attempts; default unbounded. */
  attempts?: number;
  /** No attempt later than this after the first failure, in milliseconds; default unbounded. */
  forMs?: number | undefined;
}

/** How long a command that somebody waits for stands by a server that is away, in milliseconds. */
export const outageMs = 5 * 60_000;

const firstDelayMs = 100;
/** Longer, and a belt would stand still for longer than what it waited for; shorter, and every host would hammer. */
const longestDelayMs = 2000;

/** The upper bound of the wait after the given failed attempt (1, 2, …), in milliseconds. */
export function backoffCeiling(attempt: number): number {
  return Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(attempt - 1, 20));
}

/** Between half of the ceiling and the ceiling, so that hosts do not come back in step and never at once. */
export function backoffDelay(attempt: number, random: () => number = Math.random): number {
  return backoffCeiling(attempt) * (0.5 + random() / 2);
}

export async function retry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, shouldRetry = isRetryable, attempts = Infinity, forMs = Infinity } = options;
  let giveUpAt = Infinity;
  for (let count = 1; ; count++) {
    try {
      return await attempt();
    } catch (error) {
      if (giveUpAt === Infinity) giveUpAt = performance.now() + forMs;
      const delay = backoffDelay(count);
      const isOver = count >= attempts || performance.now() + delay > giveUpAt;
      if (!shouldRetry(error) || isOver || signal.aborted) throw error;
      options.onWait?.(error, delay, count);
      await sleep(delay, undefined, { signal }).catch(() => {
        throw error;
      });
    }
  }
}

/** Runs a step until it succeeds, or fails for a reason that waiting does not mend. */
export type Patience = <T>(step: () => Promise<T>) => Promise<T>;

/** For what is opened one after the other: `tell` hears each reason for waiting once, in one line that says what to do, and null when it is over. */
export function patience(
  options: Omit<RetryOptions, 'onWait'>,
  tell: (reason: string | null) => void,
): Patience {
  let told: string | null = null;
  return async (step) => {
    const onWait = (error: unknown) => {
      const { hint } = error as VisionscaleError;
      const reason = `${errorMessage(error)}${hint === undefined ? '' : ` (${hint.replaceAll('\n', ' ')})`}`;
      if (reason !== told) tell((told = reason));
    };
    const done = await retry(step, { ...options, onWait });
    if (told !== null) tell((told = null));
    return done;
  };
}
