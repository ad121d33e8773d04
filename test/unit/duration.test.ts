import { expect, it } from 'vitest';
import { durationMs, durationText } from '../../src/lib/base/duration.ts';

it.each([
  ['500ms', 500],
  ['30s', 30_000],
  ['1.5 m', 90_000],
  ['2h', 7_200_000],
  ['0', 0],
  ['0s', 0],
  ['30', undefined],
  ['-1s', undefined],
  ['1e9d', undefined],
  ['', undefined],
  ['1000d', undefined],
])('reads %s as %s ms', (text, ms) => expect(durationMs(text)).toBe(ms));

it.each([
  [0, '0'],
  [1500, '1500ms'],
  [2000, '2s'],
  [900_000, '15m'],
])('writes %s ms as %s, which reads the same', (ms, text) => {
  expect(durationText(ms)).toBe(text);
  expect(durationMs(text)).toBe(ms);
});
