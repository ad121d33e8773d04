/** Messages that are moved out of the way while they are in work: at once, they alone, and however stuck. */
import { expect, it } from 'vitest';
import type { Answered } from '../../../src/lib/pipeline/consume/answer/answer.ts';
import { PassedOver } from '../../../src/lib/pipeline/consume/partition/passed-over.ts';
import type { TopicRecord } from '../../../src/lib/systems/message/record.ts';

const record = (offset: number): TopicRecord => ({
  topic: 't',
  partition: 0,
  offset,
  timestamp: 1,
  key: null,
  value: null,
  headers: {},
});
const answered = (offset: number): Answered => ({ record: record(offset), outcomes: [], ignored: 7 });
const nothing = (offset: number): Answered => ({ ...answered(offset), ignored: 0 });
const never = () => new Promise<Answered>(() => undefined);

it('ends work that never ends, with nothing, and tells it', async () => {
  const passed = new PassedOver();
  const { signal } = new AbortController();
  const told: boolean[] = [];
  const working = passed.during(record(5), signal, (s) => {
    s.addEventListener('abort', () => told.push(true));
    return never();
  });
  const other = passed.during(record(6), signal, () => Promise.resolve(answered(6)));
  expect([...passed.inWork].map(({ offset }) => offset)).toEqual([5, 6]);
  passed.moveTo(6);
  expect(await working).toEqual(nothing(5));
  expect(await other).toEqual(answered(6));
  expect(told).toEqual([true]);
  expect([...passed.inWork]).toEqual([]);
});

it('passes over one message without touching those before it that wait to be recorded', async () => {
  const passed = new PassedOver();
  const { signal } = new AbortController();
  const working = passed.during(record(6), signal, never);
  passed.moveOver(6);
  expect(await working).toEqual(nothing(6));
  expect([5, 6, 7].map((offset) => passed.settled(answered(offset)).ignored)).toEqual([7, 0, 7]);
  passed.moveTo(6);
  expect([5, 6, 7].map((offset) => passed.settled(answered(offset)).ignored)).toEqual([0, 0, 7]);
});

it('does not begin with what is passed over already', async () => {
  const passed = new PassedOver();
  passed.moveTo(3);
  const work = () => Promise.reject(new Error('it began'));
  expect(await passed.during(record(2), new AbortController().signal, work)).toEqual(nothing(2));
});

it('hands on what the work throws, and the signal that ends it', async () => {
  const passed = new PassedOver();
  const stop = new AbortController();
  const working = passed.during(
    record(1),
    stop.signal,
    (s) => new Promise((_, reject) => s.addEventListener('abort', () => reject(s.reason as Error))),
  );
  stop.abort(new Error('stopped'));
  await expect(working).rejects.toThrow('stopped');
});
