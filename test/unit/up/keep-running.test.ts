/** A child is started again when it ends, later each time, until it is not wanted any more. */
import { describe, expect, it } from 'vitest';
import { VisionscaleError } from '../../../src/lib/base/errors.ts';
import type { Child } from '../../../src/lib/local/demo/child.ts';
import { type Ended, keepRunning } from '../../../src/lib/local/up/up.ts';

/** Ends with `failure`, or when it is stopped. */
function child(failure?: VisionscaleError) {
  let stopped: (out: string) => void = () => undefined;
  const ended =
    failure === undefined
      ? new Promise<string>((resolve) => (stopped = resolve))
      : Promise.reject<string>(failure);
  ended.catch(() => undefined);
  const it = { name: 'consumer 0', ended, stops: 0, stop: () => Promise.resolve() };
  it.stop = () => {
    it.stops++;
    stopped('');
    return Promise.resolve();
  };
  return it;
}

const failure = new VisionscaleError('consumer 0 ended with SIGKILL', {
  code: 'child_failed',
  hint: 'first line\nlast line',
});

describe('keepRunning', () => {
  it('waits longer before each start, and stops what runs at the end', async () => {
    const stop = new AbortController();
    const children = [child(failure), child(failure), child()];
    const ends: Ended[] = [];
    let started = 0;
    const running = keepRunning({
      name: 'consumer 0',
      start: () => {
        const next = children[started++]!;
        if (started === 3) setImmediate(() => stop.abort());
        return next as unknown as Child;
      },
      signal: stop.signal,
      mayRestart: () => true,
      onEnded: (ended) => ends.push(ended),
    });
    await running;
    expect(ends).toEqual([
      { name: 'consumer 0', reason: 'consumer 0 ended with SIGKILL: last line', againInMs: 500 },
      { name: 'consumer 0', reason: 'consumer 0 ended with SIGKILL: last line', againInMs: 1000 },
    ]);
    expect(children.map(({ stops }) => stops)).toEqual([0, 0, 1]);
  });

  it('throws how it ended while it must not be started again', async () => {
    const signal = new AbortController().signal;
    const start = () => child(failure) as unknown as Child;
    const running = keepRunning({
      name: 'consumer 0',
      start,
      signal,
      mayRestart: () => false,
      onEnded: () => expect.fail('it is not started again'),
    });
    await expect(running).rejects.toBe(failure);
  });
});
