/** Rules from YAML and JSON: what they say, and every fault by its place. */
import { describe, expect, it } from 'vitest';
import { parseRules, writeRules } from '../../../src/lib/systems/bins/rules-file.ts';
import { rulesDigest } from '../../../src/lib/systems/bins/rules.ts';
import { storedRules } from '../../../src/lib/systems/database/tables/bins.ts';

const yaml = `
# comments are fine
defaults:
  confidence: 60
  margin: 7.5
bins:
  10: [no, 007, "red *"]      # texts, whatever YAML usually makes of them
  2:
    classes: tabby, tabby cat
    confidence: 0
`;
const rules = {
  manual: 'manual',
  bins: [
    { bin: '10', classes: ['no', '007', 'red *'], confidence: 60, margin: 7.5 },
    { bin: '2', classes: ['tabby, tabby cat'], confidence: 0, margin: 7.5 },
  ],
};

describe('parseRules', () => {
  it('keeps order and texts, and fills in the defaults', () => {
    expect(parseRules(yaml)).toEqual(rules);
  });

  it('reads JSON, where bins that are numbers keep their order too', () => {
    const json =
      '{"bins": {"10": {"classes": ["no", "007", "red *"]}, "2": {"classes": "tabby, tabby cat", "confidence": 0}},' +
      ' "defaults": {"margin": 7.5, "confidence": 60}, "manual": "manual"}';
    expect(parseRules(json)).toEqual(rules);
  });

  it('is the same set of rules however it is written, and another one in another order', () => {
    const digest = rulesDigest(rules);
    expect(rulesDigest(parseRules(writeRules(rules)))).toBe(digest);
    expect(rulesDigest(storedRules(JSON.parse(JSON.stringify(rules)), 1))).toBe(digest);
    expect(rulesDigest({ ...rules, bins: rules.bins.toReversed() })).not.toBe(digest);
    expect(rulesDigest({ ...rules, manual: 'other' })).not.toBe(digest);
  });

  it.each([
    ['nothing', '', /no mapping with bins/],
    ['a list', '- a', /no mapping with bins/],
    ['no bins', 'manual: x', /bins must be a mapping/],
    ['empty bins', 'bins: {}', /bins must not be empty/],
    ['a misspelt key', 'bin: {}\nbins: {a: [x]}', /"bin" \(did you mean bins\?\)/],
    [
      'a misspelt threshold',
      'bins: {a: {classes: [x], confidance: 5}}',
      /bins\.a .*"confidance" \(did you mean confidence\?\)/,
    ],
    ['a share', 'bins: {a: {classes: [x], confidence: 0.6}}', /bins\.a\.confidence is less than 1 percent/],
    ['too much', 'defaults: {margin: 101}\nbins: {a: [x]}', /defaults\.margin must be a number of percent/],
    ['a word', 'bins: {a: {classes: [x], margin: high}}', /bins\.a\.margin must be a number of percent/],
    ['no classes', 'bins: {a: []}', /bins\.a\.classes must not be empty/],
    ['an empty class', 'bins: {a: [x, ""]}', /bins\.a\.classes\[1\] must not be empty/],
    ['a nameless bin', 'bins: {"": [x]}', /bin "" must not be empty/],
    ['a class in two bins', 'bins: {a: [x], b: [x]}', /"x" is in a and in b/],
    ['a class twice', 'bins: {a: [x, x]}', /"x" is in a twice/],
    ['a bin twice', 'bins:\n  a: [x]\n  a: [y]', /unique/],
    ['bins that differ in spaces', 'bins: {"a": [x], " a": [y]}', /bin "a" is there twice/],
    ['a control character', 'bins: {"a\\u0007": [x]}', /control characters/],
    ['an unquoted glob', 'bins:\n  a:\n    - * cat', /quotes/],
    ['an unquoted glob that looks like an alias', 'bins:\n  a: *red', /quotes/],
    ['broken YAML', 'bins: {a: [x}', /line 1/],
  ])('refuses %s', (_, content, message) => {
    expect(() => parseRules(content)).toThrow(message);
    expect(() => parseRules(content)).toThrow(expect.objectContaining({ code: 'bins_invalid' }) as Error);
  });

  it('names every fault at once', () => {
    const content = 'mannual: x\nbins: {a: {classes: [], margin: 200}, b: [x], c: [x]}';
    expect(() => parseRules(content)).toThrow(/mannual/);
    const faults = 'bins: {a: {classes: [], margin: 200}, b: 5, c: {classes: [y], confidence: x}}';
    expect(() => parseRules(faults)).toThrow(/3 faults:\n.*a\.classes.*\n.*a\.margin.*\n.*c\.confidence/s);
  });

  it('does not blow up', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghi'].map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`).join('\n')}\nbins: *i`;
    expect(() => parseRules(bomb)).toThrow(/bins/);
  });
});
