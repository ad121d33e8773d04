/** When a file that may still be written has come to rest. */
import { expect, it } from 'vitest';
import { SettledFiles } from '../../../src/lib/pipeline/watch/visit.ts';

function clock() {
  let [now, steady] = [1_000_000, 0];
  const settled = new SettledFiles({ settleMs: 200, now: () => now, steady: () => steady });
  const pass = (ms: number) => {
    now += ms;
    steady += ms;
  };
  const set = (ms: number) => (now += ms);
  const look = (mtimeMs: number, size = 10, ino = 1) => settled.look('a', { mtimeMs, size, ino }).waitMs;
  return { look, pass, set, now: () => now };
}

it('takes a file that was moved in, and is older, at once', () => {
  const { look, now } = clock();
  expect(look(now() - 200)).toBe(0);
  expect(look(now() - 150)).toBe(50);
});

it('waits as long as the file changes', () => {
  const { look, pass, now } = clock();
  for (let size = 1; size < 10; size++) {
    expect(look(now(), size)).toBe(200);
    pass(150);
  }
  expect(look(now() - 150, 9)).toBe(50);
  pass(50);
  expect(look(now() - 200, 9)).toBe(0);
});

it('does not wait for the time of another host, nor for a clock that is set back', () => {
  const { look, pass, set, now } = clock();
  const ahead = now() + 60_000;
  expect(look(ahead)).toBe(200);
  pass(120);
  set(-3_600_000);
  expect(look(ahead)).toBe(80);
  pass(80);
  expect(look(ahead)).toBe(0);
  // Another file in its place.
  expect(look(ahead, 10, 2)).toBe(200);
});
