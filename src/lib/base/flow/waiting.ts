/** Waiting: for a time or a piece of work that an AbortSignal ends early, without an error; until something is there. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Settles after `ms`, or as soon as `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

/** The outcome of `work`, or undefined as soon as `signal` aborts; a later failure of `work` is then dropped. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = () => resolve(undefined);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop);
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** Settles as soon as `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Looks again every `everyMs` until there is something, but not after `forMs`; null when there was nothing by then. */
export async function waitUntilThere<T>(
  look: () => Promise<T | null>,
  { everyMs, forMs }: { everyMs: number; forMs: number },
): Promise<T | null> {
  const deadline = performance.now() + forMs;
  for (;;) {
    const found = await look();
    if (found !== null || performance.now() > deadline) return found;
    await sleep(everyMs);
  }
}
