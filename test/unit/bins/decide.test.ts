/** Where a classification goes, and why: the table of cases that a sorter lives by. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BinTable, decideBin } from '../../../src/lib/systems/bins/decide.ts';
import { globMatcher, isGlob } from '../../../src/lib/systems/bins/glob.ts';
import { parseRules } from '../../../src/lib/systems/bins/rules-file.ts';
import type { BinReason } from '../../../src/lib/systems/bins/rules.ts';
import { numRuns } from '../../support/thorough.ts';

const rules = parseRules(`
manual: by hand
unknown: foreign
defaults: {confidence: 50, margin: 10}
bins:
  10: ["red *"]
  left: [blue circle, "green *"]
  right:
    classes: ["blue *", red star, "*, tabby cat"]
    confidence: 80
    margin: 5
  loose: {classes: white cross, confidence: 0, margin: 0}
  waste: {classes: "crane (*)", confidence: 100}
`);
const table = new BinTable(rules);

const manual = 'by hand';
/** The first class and its confidence, the second's confidence (null: there is none). */
type Case = [string, string | null, number, number | null, bin: string, reason: BinReason];

describe('decideBin', () => {
  it.each<Case>([
    ['a glob', 'red circle', 90, 5, '10', 'mapped'],
    ['a name', 'blue circle', 90, 5, 'left', 'mapped'],
    ['a name before an earlier glob', 'red star', 90, 5, 'right', 'mapped'],
    ['a name before a later glob', 'blue circle', 55, 5, 'left', 'mapped'],
    ['what the name leaves to the glob', 'blue square', 85, 5, 'right', 'mapped'],
    ['a name with commas', 'tabby, tabby cat', 85, 5, 'right', 'mapped'],
    ['a name with parentheses', 'crane (bird)', 100, 0, 'waste', 'mapped'],
    ['a class that no bin has', 'black square', 99, 1, manual, 'unmapped'],
    ['a label of another model', 'Red circle', 99, 1, manual, 'unmapped'],
    ['no class at all', null, 0, null, manual, 'unmapped'],
    ['a confidence below the default', 'red circle', 49.9, 1, manual, 'low_confidence'],
    ['a confidence as high as asked', 'red circle', 50, 40, '10', 'mapped'],
    ['a confidence below the bin’s own', 'red star', 79, 1, manual, 'low_confidence'],
    ['a bin that asks for nothing', 'white cross', 0.1, 0.1, 'loose', 'mapped'],
    ['a close second', 'red circle', 54, 45, manual, 'low_margin'],
    ['a margin as wide as asked', 'red circle', 70.1, 60.1, '10', 'mapped'],
    ['a margin below the default and enough here', 'red star', 90, 84, 'right', 'mapped'],
    ['unsure and close: the confidence is told', 'red circle', 30, 29, manual, 'low_confidence'],
    ['no second: it is its confidence ahead', 'red circle', 60, null, '10', 'mapped'],
  ])('%s', (_, category, first, second, bin, reason) => {
    const top = [
      ...(category === null ? [] : [{ category, confidence: first }]),
      ...(second === null ? [] : [{ category: 'another', confidence: second }]),
    ];
    expect(decideBin(table, { top })).toEqual({ bin, reason });
    // A class that was looked up before is no other one.
    expect(decideBin(table, { top })).toEqual({ bin, reason });
    expect(decideBin(table, { top, novelty: 0.999 })).toEqual({ bin, reason });
    // Of what is like no class, neither class nor confidence says anything.
    expect(decideBin(table, { top, novelty: 1 })).toEqual({ bin: 'foreign', reason: 'unknown' });
  });

  it('keeps unknown objects for the manual bin unless the rules name another', () => {
    const [top, novelty] = [[{ category: 'x', confidence: 100 }], 40];
    const quiet = new BinTable(parseRules('manual: by hand\nbins: {a: [x]}'));
    expect(decideBin(quiet, { top, novelty })).toEqual({ bin: manual, reason: 'unknown' });
    const told = new BinTable(parseRules('unknown: a\nbins: {a: [x]}'));
    expect(decideBin(told, { top, novelty })).toEqual({ bin: 'a', reason: 'unknown' });
  });

  it.each([undefined, null, 0, NaN])('maps what no model told anything new of: %s', (novelty) => {
    const top = [{ category: 'red circle', confidence: 90 }];
    const given = novelty === undefined ? { top } : { top, novelty };
    expect(decideBin(table, given)).toEqual({ bin: '10', reason: 'mapped' });
  });

  it('never maps what falls short, whatever is asked', () => {
    const percent = fc.double({ min: 0, max: 100, noNaN: true });
    fc.assert(
      fc.property(percent, percent, percent, percent, (first, second, confidence, margin) => {
        const one = new BinTable({
          manual,
          unknown: manual,
          bins: [{ bin: 'b', classes: ['*'], confidence, margin }],
        });
        const top = [first, second].map((value) => ({ category: 'x', confidence: value }));
        const { reason } = decideBin(one, { top });
        if (first < confidence - 1e-6) expect(reason).toBe('low_confidence');
        else if (first - second < margin - 1e-6) expect(reason).not.toBe('mapped');
        if (first >= confidence && first - second >= margin) expect(reason).toBe('mapped');
      }),
    );
  });
});

describe('globs', () => {
  it.each([
    ['red *', 'red circle', true],
    ['red *', 'dark red circle', false],
    ['*', 'a/b, .c', true],
    ['.*', '.hidden', true],
    ['!red *', 'blue x', false],
    ['!red *', '!red x', true],
    ['{red,blue} *', 'blue x', true],
    ['{red,blue} *', 'green x', false],
    ['[ab]?c', 'bxc', true],
    ['[!ab]?c', 'bxc', false],
    ['* (a+b)', 'z (a+b)', true],
    ['* (a+b)', 'z aab', false],
    ['a|b*', 'a', false],
    ['*\\*', 'a\\b', true],
    ['*’s $^', 'Tom’s $^', true],
    ['RED*', 'red', false],
    ['{red,dark {red,blue}} *', 'dark blue x', true],
    ['{red,dark {red,blue}} *', 'blue x', false],
    ['{,dark }red', 'red', true],
    ['[a-c0-9]*', '7 up', true],
    ['[a-c0-9]*', 'd', false],
    ['[]a]*', ']', true],
    ['[*]', '*', true],
    ['[*]', 'x', false],
    ['{a}*', '{a}b', true],
    ['{a*', '{ab', true],
    ['[a*', '[ab', true],
    ['?', '苹', true],
    ['?', '🍎', true],
    ['[🍎-🍏]*', '🍏', true],
    ['*(a|b)*', 'x(a|b)', true],
    ['*(a|b)*', 'xa', false],
    ['+(x)*', 'xx', false],
    ['**a**', 'bab', true],
  ])('%j on %j: %s', (glob, name, expected) => {
    expect(isGlob(glob)).toBe(true);
    expect(globMatcher(glob)(name)).toBe(expected);
  });

  it.each([
    ['{1..3}', /\{1\.\.3\} is not supported/],
    ['x[[:alpha:]]', /named sets/],
    ['[z-a]', /backwards/],
    ['{a,b}'.repeat(10), /more than 1000 patterns/],
  ])('%j is refused by what it holds', (glob, message) => {
    expect(() => globMatcher(glob)).toThrow(message);
    expect(() => parseRules(JSON.stringify({ bins: { left: [glob] } }))).toThrow(message);
  });

  it('cannot be made slow', () => {
    const name = `${'ab'.repeat(2000)}c`;
    const globs = [
      `${'*a'.repeat(250)}*`,
      `${'*(a|b)'.repeat(80)}x`,
      `${'*[ab]'.repeat(100)}x`,
      `${'*?'.repeat(250)}x`,
      `${'*{a,b}'.repeat(9)}x`,
      `${'{a*,b*}'.repeat(9)}x`,
      `${'{'.repeat(500)}*`,
      `${'['.repeat(499)}*`,
      `${'{,'.repeat(250)}*`,
    ];
    for (const glob of globs) {
      const began = performance.now();
      expect(globMatcher(glob)(name), glob).toBe(glob === globs[0]);
      expect(performance.now() - began, glob).toBeLessThan(5000);
    }
  });

  it('come to no more than a table can hold', () => {
    const many = Array.from({ length: 300 }, (_, n) => `${n}*${'x'.repeat(400)}`);
    expect(() => parseRules(JSON.stringify({ bins: { left: many } }))).toThrow(/more than 100000 characters/);
    expect(parseRules(JSON.stringify({ bins: { left: many.slice(0, 200) } })).bins).toHaveLength(1);
  });

  it('take everything but their own characters literally', () => {
    const letter = fc.constantFrom(...'ab .,;:()+|^$@!#%&=~-_/\\"\'é');
    const literal = fc.string({ unit: letter, minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(literal, fc.string({ unit: letter, maxLength: 4 }), literal, (start, middle, other) => {
        const matches = globMatcher(`${start}*`);
        expect(matches(`${start}${middle}x`)).toBe(true);
        expect(matches(`${other}x`)).toBe(`${other}x`.startsWith(start));
      }),
      { numRuns: numRuns(500) },
    );
  });
});
