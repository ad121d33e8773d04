/** Rules from YAML and JSON: what they say, and every fault by its place. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseRules, writeRules } from '../../../src/lib/systems/bins/rules-file.ts';
import { rulesDigest } from '../../../src/lib/systems/bins/rules.ts';
import { rulesToStore, storedRules } from '../../../src/lib/systems/database/tables/bins.ts';

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
  unknown: 'manual',
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
    expect(rulesDigest(parseRules(`unknown: manual\n${writeRules(rules)}`))).toBe(digest);
    expect(storedRules(JSON.parse(JSON.stringify(rulesToStore(rules))), 1)).toEqual(rules);
    expect(rulesDigest({ ...rules, bins: rules.bins.toReversed() })).not.toBe(digest);
    expect(rulesDigest({ ...rules, manual: 'other' })).not.toBe(digest);
  });

  it('has the digest that versions without the key unknown gave it', () => {
    expect(rulesDigest(rules)).toBe(
      'sha256:55f5bfa6e63b452db50459370c950e7f302c077b3bcbee2e0c250911dc0b77ca',
    );
    expect(rulesDigest(rules)).not.toBe(rulesDigest({ ...rules, unknown: 'foreign' }));
  });

  it('takes a bin for unknown objects, and writes and stores it', () => {
    const told = parseRules(`unknown: " foreign\u{202e}"\n${yaml}`);
    expect(told).toEqual({ ...rules, unknown: 'foreign\u{202e}' });
    expect(parseRules(writeRules(told))).toEqual(told);
    expect(storedRules(JSON.parse(JSON.stringify(rulesToStore(told))), 1)).toEqual(told);
    expect(parseRules('manual: by hand\nbins: {a: [x]}').unknown).toBe('by hand');
  });

  it('stores that bin so that versions which know no unknown objects refuse the rules', () => {
    // What they look for; other keys they pass over.
    const former = z.object({
      manual: z.string(),
      bins: z.array(
        z.object({
          bin: z.string(),
          classes: z.array(z.string()),
          confidence: z.number(),
          margin: z.number(),
        }),
      ),
    });
    expect(former.safeParse(rulesToStore({ ...rules, unknown: 'foreign' })).success).toBe(false);
    expect(former.parse(rulesToStore(rules))).toEqual({ manual: rules.manual, bins: rules.bins });
  });

  it.each([
    ['a key', { manual: 'm', bins: [], belts: {} }],
    ['a key of a bin', { manual: 'm', bins: [{ ...rules.bins[0], weight: 1 }] }],
    ['both forms', { manual: 'm', unknown: 'u', bins: [], binsOfKnown: [] }],
    ['an unknown bin beside the former form', { manual: 'm', unknown: 'u', bins: [] }],
    ['no rules', null],
  ])('refuses stored rules of a later version: %s', (_, stored) => {
    expect(() => storedRules(stored, 3)).toThrow(
      expect.objectContaining({ code: 'bins_unreadable', retryable: true }) as Error,
    );
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
    [
      'a misspelt bin for unknown objects',
      'unkown: x\nbins: {a: [x]}',
      /"unkown" \(did you mean unknown\?\)/,
    ],
    ['no bin for unknown objects', 'unknown:\nbins: {a: [x]}', /unknown must not be empty/],
    ['several bins for unknown objects', 'unknown: [x, y]\nbins: {a: [x]}', /unknown must be a text/],
    ['rules for unknown objects', 'unknown: {bin: x}\nbins: {a: [x]}', /unknown must be a text/],
    [
      'a control character for a bin',
      'unknown: "a\\u0007"\nbins: {a: [x]}',
      /unknown must not contain control/,
    ],
    [
      'a bin with an endless name',
      `unknown: ${'x'.repeat(501)}\nbins: {a: [x]}`,
      /unknown must not have more than 500/,
    ],
    ['unknown objects in a bin', 'bins: {a: {classes: [x], unknown: b}}', /bins\.a must not have "unknown"/],
    ['a share', 'bins: {a: {classes: [x], confidence: 0.6}}', /bins\.a\.confidence is less than 1 percent/],
    ['too much', 'defaults: {margin: 101}\nbins: {a: [x]}', /defaults\.margin must be a number of percent/],
    ['a word', 'bins: {a: {classes: [x], margin: high}}', /bins\.a\.margin must be a number of percent/],
    ['no classes', 'bins: {a: []}', /bins\.a\.classes must not be empty/],
    ['an empty class', 'bins: {a: [x, ""]}', /bins\.a\.classes\[1\] must not be empty/],
    ['a nameless bin', 'bins: {"": [x]}', /bin "" must not be empty/],
    ['a class in two bins', 'bins: {a: [x], b: [x]}', /"x" is in a and in b/],
    ['a class twice', 'bins: {a: [x, x]}', /"x" is in a twice/],
    ['a bin twice', 'bins:\n  a: [x]\n  a: [y]', /line 3: "a" is there twice/],
    ['a key twice', 'manual: x\nbins: {a: [x]}\nmanual: y', /line 3: "manual" is there twice/],
    ['bins that hold themselves', 'bins: &b\n  left: *b', /bins\.left/],
    [
      'defaults that hold themselves',
      'defaults: &d {confidence: *d}\nbins: {a: [x]}',
      /defaults\.confidence/,
    ],
    ['two documents', 'bins: {a: [x]}\n---\nbins: {a: [y]}', /several documents/],
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

  it('does not compare each name with all others', () => {
    const many = Array.from({ length: 20_000 }, (_, i) => `  b${i}: [c${i}]`).join('\n');
    expect(() => parseRules(`bins:\n${many}`)).toThrow('there are 20000 bins; 10000 are the most');
  });

  it('does not blow up', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghi'].map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`).join('\n')}\nbins: *i`;
    expect(() => parseRules(bomb)).toThrow(/bins/);
  });
});
