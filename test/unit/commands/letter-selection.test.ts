import { describe, expect, it } from 'vitest';
import { chosenLetters, letterSelection } from '../../../src/commands/dead-letters/selection.ts';
import { UsageError } from '../../../src/lib/base/errors.ts';

describe('the selection of dead letters', () => {
  it('holds what was given, each id once', () => {
    expect(letterSelection('p', [], {})).toEqual({ pipeline: 'p' });
    expect(
      letterSelection('p', [3, 1, 3], { code: 'c', stage: 'fetch', until: '2026-01-02T00:00:00Z' }),
    ).toEqual({
      pipeline: 'p',
      ids: [3, 1],
      code: 'c',
      stage: 'fetch',
      until: new Date('2026-01-02T00:00:00Z'),
    });
  });

  it('has to be made where letters are changed', () => {
    expect(() => chosenLetters('p', [], {})).toThrow(UsageError);
    expect(() => chosenLetters('p', [1], { all: true })).toThrow(/--all and ids/);
    expect(chosenLetters('p', [], { all: true })).toEqual({ pipeline: 'p' });
    expect(chosenLetters('p', [], { stage: 'read' })).toEqual({ pipeline: 'p', stage: 'read' });
    expect(chosenLetters('p', [7], {})).toEqual({ pipeline: 'p', ids: [7] });
  });

  it('names the flag whose time is none', () => {
    expect(() => letterSelection('p', [], { since: 'soon' })).toThrow(/--since soon is neither/);
    expect(() => letterSelection('p', [], { until: 'later' })).toThrow(/--until later is neither/);
  });
});
