/** The partitions that a consumer without one of its own may take: those that join later too. */
import { afterEach, expect, it, vi } from 'vitest';
import { Candidates } from '../../../src/lib/pipeline/consume/consume.ts';
import type { Topic } from '../../../src/lib/systems/topic/topic.ts';

afterEach(() => vi.useRealTimers());

it.each([
  ['grow with the topic, and not while it is away', true, [2, 2, 2, 4, 4]],
  ['stay what they are where they are told', false, [2, 2, 2, 2, 2]],
])('%s', async (_, grow, expected) => {
  vi.useFakeTimers({ toFake: ['performance'] });
  let partitions = () => Promise.resolve(4);
  const topic = { partitions: () => partitions() } as unknown as Topic;
  const candidates = new Candidates(topic, [0, 1], grow);
  const found = [(await candidates.now()).length];
  partitions = () => Promise.reject(new Error('away'));
  for (let n = 0; n < 2; n++) {
    vi.advanceTimersByTime(5000);
    found.push((await candidates.now()).length);
  }
  partitions = () => Promise.resolve(4);
  vi.advanceTimersByTime(5000);
  found.push((await candidates.now()).length, (await candidates.now()).length);
  expect(found).toEqual(expected);
});
