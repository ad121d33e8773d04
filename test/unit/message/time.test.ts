/** What counts as a time, and from when a latency counts. */
import { describe, expect, it } from 'vitest';
import { timeOf, parseSince, latencyStart } from '../../../src/lib/systems/message/values.ts';

const local = (...at: [number, number, number, number, number]) => new Date(...at).toISOString();

describe('a time', () => {
  it.each([
    ['2026-11-28T10:11:12.345Z', '2026-11-28T10:11:12.345Z'],
    ['2026-11-28T10:11:12.345678901Z', '2026-11-28T10:11:12.345Z'],
    ['2026-11-28T10:11:12,5Z', '2026-11-28T10:11:12.500Z'],
    ['2026-11-28T10:11:12Z', '2026-11-28T10:11:12.000Z'],
    ['2026-11-28T10:11Z', '2026-11-28T10:11:00.000Z'],
    ['2026-11-28t10:11:12z', '2026-11-28T10:11:12.000Z'],
    ['2026-11-28 10:11:12+01:00', '2026-11-28T09:11:12.000Z'],
    ['2026-11-28T10:11:12-0330', '2026-11-28T13:41:12.000Z'],
    ['2026-11-28T10:11:12+02', '2026-11-28T08:11:12.000Z'],
    [' 2026-11-28T10:11:12Z ', '2026-11-28T10:11:12.000Z'],
    ['2026-11-28', '2026-11-28T00:00:00.000Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z'],
    ['2026-11-28T10:11', local(2026, 10, 28, 10, 11)],
    ['1795860672345', '2026-11-28T10:11:12.345Z'],
    [1_795_860_672_345, '2026-11-28T10:11:12.345Z'],
    [1_795_860_672_345.7, '2026-11-28T10:11:12.345Z'],
    ['100000000000', '1973-03-03T09:46:40.000Z'],
  ])('is ISO 8601 or milliseconds: %s', (value, meant) => {
    expect(new Date(timeOf(value)!).toISOString()).toBe(meant);
  });

  it.each([
    ...['camera 5', 'belt-1 7', '5', '28 Nov 2026', 'Sat, 28 Nov 2026 10:11:12 GMT', '11/28/2026', '', ' ', '-1'],
    ...['20261128', '1795860672', '20261128101112', '1795860672345678', '1e12', '0x1a', '1795860672345.5'],
    ...['2026-02-30T10:00:00Z', '2026-02-29', '2100-02-29', '2026-11-31', '2026-13-01', '2026-00-10', '2026-11-00'],
    ...['2026-11-28T24:00:00Z', '2026-11-28T10:60Z', '2026-11-28T10:11:60Z', '2026-11-28T10Z', '2026-11-28Z'],
    ...['2026-11-28T10:11:12+24:00', '2026-11-28T10:11:12+01:60', '2026-11-28T10:11:12 UTC', '2026-11', '2026'],
    ...['+002026-11-28', '0000-01-01', '1969-12-31T23:59:59Z', '2026-11-28T10:11:12ZZ', `2026-11-28${' '.repeat(60)}`],
    ...[0, -1, 20_261_128, 1_795_860_672, 2e13, NaN, Infinity, null, true, {}, ['2026-11-28']],
  ])('is nothing else: %j', (value) => expect(timeOf(value)).toBeNull()); // prettier-ignore
});

describe('--since', () => {
  const now = new Date('2026-11-28T10:00:00Z');
  it.each([
    ['2h', '2026-11-28T08:00:00.000Z'],
    ['2026-11-22', '2026-11-22T00:00:00.000Z'],
    ['2026-11-22T14:00:00Z', '2026-11-22T14:00:00.000Z'],
    [`${'9'.repeat(30)}d`, '1970-01-01T00:00:00.000Z'],
  ])('is a time ago or a moment: %s', (text, meant) =>
    expect(parseSince(text, now).toISOString()).toBe(meant),
  );

  it.each([
    '2026-11-31',
    '2026-02-30T10:00:00Z',
    '2026-11-28T25:00',
    '2026-',
    '2026-11-28 noon',
    '1795860672345',
  ])('is no day that there is not: %s', (text) =>
    expect(() => parseSince(text, now, '--until')).toThrow(/^--until .* is neither/),
  );
});

describe('a latency', () => {
  const sent = Date.parse('2026-11-28T10:00:00Z');
  const hour = 3_600_000;
  it.each([
    ['the capture', sent - 5000, sent - 5000],
    ['the capture of an image that was long under way', sent - 24 * hour, sent - 24 * hour],
    ['the capture by a clock that is a little ahead', sent + 60_000, sent + 60_000],
    ['the message, where nobody said', null, sent],
    ['the message, where the capture is ancient', Date.parse('2001-05-01'), sent],
    ['the message, where it is older than a day', sent - 24 * hour - 1, sent],
    ['the message, where the capture is yet to come', sent + 60_001, sent],
  ])('counts from %s', (_, capturedAt, from) => {
    expect(latencyStart(capturedAt, sent, sent + 50 * hour)).toBe(from);
  });

  it('is unknown where the message’s time is none, but for a capture of today', () => {
    for (const none of [-1, 0, 1_795_860_672]) {
      expect(latencyStart(null, none, sent)).toBeNull();
      expect(latencyStart(sent - 48 * hour, none, sent)).toBeNull();
      expect(latencyStart(sent - hour, none, sent)).toBe(sent - hour);
    }
  });
});
