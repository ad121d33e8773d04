/** Rules held to a model's labels. */
import { expect, it } from 'vitest';
import { checkRules, compareRules, hasFaults } from '../../../src/lib/systems/bins/check.ts';
import { BinTable } from '../../../src/lib/systems/bins/decide.ts';
import { parseRules } from '../../../src/lib/systems/bins/rules-file.ts';

const labels = ['red circle', 'red square', 'blue circle', 'blue square', 'tabby, tabby cat'];
const check = (bins: string) => checkRules(parseRules(`bins: ${bins}`), labels);

it('counts what each bin has, and names what none has', () => {
  const checked = check('{left: ["red *"], right: [red square, "*cat"], never: ["* square"]}');
  expect(hasFaults(checked)).toBe(false);
  expect(checked.labels).toEqual([
    { bin: 'left', labels: 1 },
    { bin: 'right', labels: 2 },
    { bin: 'never', labels: 1 },
  ]);
  expect(checked.unmapped).toEqual(['blue circle']);
});

it.each([
  ['a typo', 'rde circle', ['red circle']],
  ['another case', 'Red Circle', ['red circle']],
  ['a part', 'tabby', ['tabby, tabby cat']],
  ['nothing near', 'aeroplane', []],
])('suggests labels for %s', (_, pattern, near) => {
  const checked = check(`{a: [${JSON.stringify(pattern)}]}`);
  expect(checked.unknown).toEqual([{ bin: 'a', pattern, near }]);
  expect(hasFaults(checked)).toBe(true);
});

it.each([
  ['a typo', 'rde *', ['red circle', 'red square']],
  ['another case', 'RED *', ['red circle', 'red square']],
  ['a wrong place of the star', 'circle*', ['red circle', 'blue circle']],
  ['nothing near', 'aeroplane*', []],
])('suggests labels for a glob with %s', (_, pattern, near) => {
  const checked = check(`{a: [${JSON.stringify(pattern)}]}`);
  expect(checked.empty).toEqual([{ bin: 'a', pattern, near }]);
});

it('notes a glob that other rules leave nothing', () => {
  const checked = check('{a: ["red *"], b: ["red s*"], c: [blue square], d: ["blue s*"]}');
  expect(checked.shadowed).toEqual([
    { bin: 'b', pattern: 'red s*' },
    { bin: 'd', pattern: 'blue s*' },
  ]);
  expect(hasFaults(checked)).toBe(false);
});

it('compares where unknown objects go, also where only the manual bin has moved', () => {
  const rules = (head: string) => parseRules(`${head}\nbins: {a: ["*"]}`);
  const compared = (before: string, after: string) =>
    compareRules(rules(before), rules(after), labels).unknown;
  expect(compared('', 'unknown: foreign')).toEqual({ from: 'manual', to: 'foreign' });
  expect(compared('', 'manual: m')).toEqual({ from: 'manual', to: 'm' });
  expect(compared('unknown: manual', 'manual: manual')).toBeNull();
});

it('takes names that look the same for the same, in rules and in labels', () => {
  const [composed, apart] = ['\u00c4pfel', 'A\u0308pfel'];
  for (const [label, pattern] of [
    [composed, apart],
    [apart, composed],
    [composed, `${apart.slice(0, 3)}*`],
  ] as const) {
    const rules = parseRules(`bins: {left: [${JSON.stringify(pattern)}]}`);
    const checked = checkRules(rules, [label]);
    expect([hasFaults(checked), checked.labels]).toEqual([false, [{ bin: 'left', labels: 1 }]]);
    expect(new BinTable(rules).ruleOf(label)?.bin).toBe('left');
  }
  // Rules of an earlier version have them as they were written.
  const old = {
    manual: 'm',
    unknown: 'm',
    bins: [{ bin: 'left', classes: [apart], confidence: 0, margin: 0 }],
  };
  expect(new BinTable(old).ruleOf(apart)?.bin).toBe('left');
  expect(() => parseRules(`bins: {${composed}: [x], ${apart}: [y]}`)).toThrow(/is there twice/);
  expect(() => parseRules(`bins: {a: [${composed}], b: [${apart}]}`)).toThrow(/is in a and in b/);
});
