/** What is said of a belt that has changed, and what several consumers say of one. */
import { describe, expect, it } from 'vitest';
import { mergedDrifts } from '../../../src/lib/pipeline/drift/merged.ts';
import { driftCommand, driftOverSentence, driftSentence } from '../../../src/lib/pipeline/drift/sentence.ts';
import type { Drift } from '../../../src/lib/systems/database/tables/consumers.ts';

const now = new Date(2026, 10, 28, 16, 0);
const at = (hours: number, minutes: number, day = 28) =>
  new Date(2026, 10, day, hours, minutes).toISOString();

function drift(given: Partial<Drift> = {}): Drift {
  return {
    ...{ belt: 'north', model: { name: 'parts', version: '1', digest: 'sha256:ab' }, kind: 'unknown' },
    ...{ since: at(14, 20), from: 1, to: 9, category: null },
    ...given,
  };
}

describe('a belt that has changed', () => {
  it.each<[Partial<Drift>, string]>([
    [{}, 'belt north: since 14:20 unknown rose from 1 % to 9 %'],
    [{ from: 0.84, to: 31.6 }, 'belt north: since 14:20 unknown rose from 0.8 % to 32 %'],
    [{ since: at(9, 5, 27) }, 'belt north: since 2026-11-27 09:05 unknown rose from 1 % to 9 %'],
    [
      { kind: 'confidence', from: 97.4, to: 81 },
      'belt north: since 14:20 mean confidence fell from 97 % to 81 %',
    ],
    [
      { kind: 'classes', category: 'red gear', to: 12 },
      'belt north: since 14:20 the share of "red gear" rose from 1 % to 12 %',
    ],
    [{ belt: null }, 'images without a belt: since 14:20 unknown rose from 1 % to 9 %'],
    [{ since: null, to: 30 }, 'belt north: 30 % unknown, 1 % in training'],
    [
      { since: null, kind: 'confidence', from: 97, to: 61 },
      'belt north: mean confidence 61 %, 97 % in training',
    ],
  ])('%o', (given, text) => expect(driftSentence(drift(given), now)).toBe(text));

  it('is said to be over', () => {
    expect(driftOverSentence(drift({ to: 1.2 }))).toBe('belt north: unknown is back at 1.2 %');
    expect(driftOverSentence(drift({ since: null, to: 1.2 }))).toBe('belt north: unknown is at 1.2 %');
  });

  it('comes with the command that shows its images', () => {
    const since = '2026-11-28T14:20:05.250Z';
    expect(driftCommand(drift({ since }))).toBe(
      'visionscale results export --belt north --since 2026-11-28T14:20:05Z ./drift',
    );
    expect(driftCommand(drift({ belt: "the chef's", since: null }))).toBe(
      "visionscale results export --belt 'the chef'\\''s' ./drift",
    );
    expect(driftCommand(drift({ belt: null, since: null }))).toBe('visionscale results export ./drift');
  });
});

describe('what several consumers tell', () => {
  it('is one of each belt, model and kind, since the earliest', () => {
    const south = drift({ belt: 'south', since: at(14, 0) });
    const classes = drift({ kind: 'classes', category: 'a', since: at(15, 0) });
    const found = mergedDrifts([
      { drift: [drift({ since: at(14, 30), to: 11 }), classes] },
      { drift: [drift({ to: 9 }), south] },
      { drift: [drift({ since: null, from: 2, to: 50 })] },
      { drift: null },
    ]);
    expect(found).toEqual([south, drift({ to: 10 }), classes]);
  });

  it('is told apart by model', () => {
    const other = drift({ model: { name: 'parts', version: '2', digest: 'sha256:cd' } });
    expect(mergedDrifts([{ drift: [drift()] }, { drift: [other] }])).toHaveLength(2);
  });
});
