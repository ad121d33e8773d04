/** Runs a child for as long as it is wanted: one that ends is started again, later and later while it goes on ending. */
import { setTimeout as sleep } from 'node:timers/promises';
import { VisionscaleError } from '../../base/errors.ts';
import type { Child } from '../demo/child.ts';

export interface KeepRunningOptions {
  name: string;
  start: () => Child;
  /** Told to drain, and awaited, when this aborts. */
  signal: AbortSignal;
  /** False: how a child ended is thrown. */
  mayRestart: () => boolean;
  onEnded: (ended: Ended) => void;
}

export interface Ended {
  name: string;
  /** How, and what it said last. */
  reason: string;
  /** Until it is started again, in milliseconds. */
  againInMs: number;
}

const firstDelayMs = 500;
const longestDelayMs = 30_000;
/** What has run for so long is not ending again and again, in milliseconds. */
const longRunMs = 60_000;

export async function keepRunning(options: KeepRunningOptions): Promise<void> {
  const { name, start, signal, mayRestart, onEnded } = options;
  let ends = 0;
  while (!signal.aborted) {
    const began = performance.now();
    const child = start();
    const failure = await endOf(child, signal);
    if (signal.aborted) return;
    if (!mayRestart()) throw failure;
    ends = performance.now() - began > longRunMs ? 1 : ends + 1;
    const againInMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (ends - 1));
    const last = failure.hint?.split('\n').at(-1);
    onEnded({ name, reason: last ? `${failure.message}: ${last}` : failure.message, againInMs });
    await sleep(againInMs, undefined, { signal }).catch(() => undefined);
  }
}

async function endOf(child: Child, signal: AbortSignal): Promise<VisionscaleError> {
  const stop = () => void child.stop();
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  try {
    await child.ended;
    return new VisionscaleError(`${child.name} ended`, { code: 'child_failed' });
  } catch (error) {
    return error as VisionscaleError;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
