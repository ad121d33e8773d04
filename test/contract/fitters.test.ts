/** Threads that fit heads: ended in the middle of a fit, where that is told to stop. */
import { expect, it } from 'vitest';
import { openFitters } from '../../src/lib/learning/train/head/fitters.ts';
import { chance } from '../support/squeezenet-models.ts';

it('a fit ends with its thread when it is aborted, wherever it is', async () => {
  const [images, features, classes] = [500, 64, 5];
  const next = chance(7);
  const data = new Float32Array(new SharedArrayBuffer(4 * images * features)).map(next);
  const labels = Int32Array.from({ length: images }, (_, i) => i % classes);
  const stop = new AbortController();
  await using fitters = openFitters(1, stop.signal);
  const task = {
    set: { data, features, views: 1, labels, classes },
    images: Int32Array.from(labels.keys()),
    held: new Int32Array(0),
    views: [0],
    penalty: 0.001,
    start: undefined,
    leastGain: 0,
  };
  // The thread is there, and goes on to a fit that ends by itself only much later; another one waits for it.
  const short = { ...task, maxIterations: 1 };
  await fitters.fit(short);
  const long = { ...task, images: new Int32Array(20_000_000), maxIterations: 1_000_000 };
  const fits = [fitters.fit(long), fitters.fit(short)];
  stop.abort();
  for (const { status } of await Promise.allSettled(fits)) expect(status).toBe('rejected');
  await expect(fitters.fit(short)).rejects.toThrow();
});
