/** Which images belong together: by names, folders, bursts and looks; and patterns that say so. */
import { describe, expect, it } from 'vitest';
import type { Example } from '../../../src/lib/learning/datasets/dataset.ts';
import type { Fingerprint } from '../../../src/lib/learning/evaluate/duplicates.ts';
import { groupsOf } from '../../../src/lib/learning/groups/groups.ts';
import { likenessGroups } from '../../../src/lib/learning/groups/likeness.ts';
import { groupPattern, numbered } from '../../../src/lib/learning/groups/names.ts';
import { seriesOf } from '../../../src/lib/learning/groups/series.ts';
import { chance } from '../../support/squeezenet-models.ts';

const example = (below: string, label = 0, more: Partial<Example> = {}): Example => ({
  path: `/set/${label}/${below}`,
  label,
  sha256: `${label}/${below}`,
  below,
  ...more,
});

/** Unlike any other, but those of the same seed. */
function print(seed: number, level = 0): Fingerprint {
  const next = chance(seed * 7919 + 1);
  const words: readonly number[] = Array.from({ length: 4 }, () => Math.floor(65536 * next()));
  return { words, pixels: Uint8Array.from({ length: 216 }, () => Math.floor(200 * next()) + level) };
}

/** Names of the images of each series of more than one. */
function together(examples: readonly Example[], prints?: Fingerprint[], pattern?: string): string[][] {
  const unlike = examples.map((_, i) => print(i + 1));
  return seriesOf(examples, prints ?? unlike, pattern === undefined ? undefined : groupPattern(pattern))
    .map(({ images }) => images.map((i) => examples[i]!.below!))
    .filter((names) => names.length > 1);
}

describe('series', () => {
  it('are nothing but single images where nothing tells', () => {
    expect(together([1, 2, 3, 4].map((n) => example(`IMG_000${n}.jpg`)))).toEqual([]);
  });

  it('are copies and near-duplicates, but not across classes', () => {
    const set = [example('a'), example('b'), example('c', 0, { sha256: '0/a' }), example('d', 1)];
    expect(together(set, [print(1), print(2), print(3), print(2)])).toEqual([['a', 'c']]);
    expect(together(set, [print(1), print(2), print(3), print(4)])).toEqual([['a', 'c']]);
    expect(together(set, [print(1), print(1, 3), print(3), print(1)])).toEqual([['a', 'b', 'c']]);
  });

  it('are folders below the class folder, where a class has two', () => {
    const set = ['o1/1.jpg', 'o1/2.jpg', 'o2/1.jpg', 'o2/deep/2.jpg'].map((name) => example(name));
    expect(together(set)).toEqual([['o1/1.jpg', 'o1/2.jpg']]);
    expect(together(['all/1.jpg', 'all/2.jpg'].map((name) => example(name)))).toEqual([]);
    // With two in another class, one folder is one group.
    expect(together([...set, example('one/1.jpg', 1), example('one/2.jpg', 1)])).toHaveLength(2);
  });

  it('are what the pattern says, across classes', () => {
    const set = ['gear_a_1.jpg', 'gear_a_2.jpg', 'gear_b_1.jpg', 'other.jpg'].map((name) => example(name));
    expect(together(set, undefined, '*_{object}_*.jpg')).toEqual([['gear_a_1.jpg', 'gear_a_2.jpg']]);
    const both = [...set, example('nut_a_9.jpg', 1)];
    expect(together(both, undefined, '*_{day}_*.jpg')).toEqual([
      ['gear_a_1.jpg', 'gear_a_2.jpg', 'nut_a_9.jpg'],
    ]);
    const folders = ['d1/1', 'd2/2'].flatMap((name) => [example(name), example(name, 1)]);
    expect(together(folders)).toEqual([]);
  });

  it('are bursts: consecutive numbers, close in time', () => {
    const at = (n: number, seconds: number) => example(`IMG_${n}.jpg`, 0, { modified: 1000 * seconds });
    const shots = [at(1, 0), at(2, 2), at(3, 4), at(4, 600), at(5, 603), at(9, 606), at(20, 9000)];
    expect(together(shots)).toEqual([
      ['IMG_1.jpg', 'IMG_2.jpg', 'IMG_3.jpg'],
      ['IMG_4.jpg', 'IMG_5.jpg'],
    ]);
    // Copied files all have one time: it says nothing.
    expect(together(shots.map((shot, i) => ({ ...shot, modified: i })))).toEqual([]);
    // A camera on a belt never pauses.
    expect(together([1, 2, 3, 4, 5, 6].map((n) => at(n, 2 * n)))).toEqual([]);
  });

  it('are bursts by what the camera says, whatever the names', () => {
    const at = (name: string, seconds: number) => example(name, 0, { taken: 1000 * seconds });
    const shots = [at('x', 100), at('y', 0), at('z', 104), at('a', 5000), at('b', 9000)];
    expect(together(shots)).toEqual([['x', 'z']]);
  });

  it('are bursts of consecutive numbers that look alike', () => {
    const set = [1, 2, 3, 4].map((n) => example(`IMG_${n}.jpg`));
    const prints = [print(1), print(1, 14), print(2), print(3)];
    // Too far apart to be near-duplicates.
    prints[1]!.words = print(9).words;
    expect(together(set, prints)).toEqual([['IMG_1.jpg', 'IMG_2.jpg']]);
    // All on one background.
    expect(together(set.slice(0, 3), prints)).toEqual([]);
  });
});

describe('groups', () => {
  it('put like images of a class together, and leave named ones as they are', () => {
    // Three occasions of a class, apart from each other; the other class has groups of its own.
    const looks = [0, 0, 0, 0, 0, 50, 50, 50, 50, 90, 90, 90].map((at, i) =>
      Float32Array.of(at + i / 100, 1),
    );
    const set = looks.map((_, i) => example(`${i}.jpg`));
    const named = ['a_1', 'a_2', 'b_1'].map((name) => example(name, 1));
    const series = seriesOf(
      [...set, ...named],
      [...set, ...named].map((_, i) => print(i + 1)),
      groupPattern('{x}_*'),
    );
    const groups = [...groupsOf([...set, ...named], series, (i) => looks[i]!)];
    const kinds = (from: number, to: number) => new Set(groups.slice(from, to));
    expect(new Set(groups.slice(12)).size).toBe(2);
    expect(groups[12]).toBe(groups[13]);
    for (const group of kinds(0, 5)) expect([...kinds(5, 15)]).not.toContain(group);
    expect([kinds(0, 5).size, kinds(5, 9).size, kinds(9, 12).size]).toEqual([1, 1, 1]);
  });

  it('are two where a class has few images, and one where all are equal', () => {
    const few = Array.from({ length: 5 }, (_, i) => example(`${i}`));
    const prints = few.map((_, i) => print(i + 1));
    const groups = (row: (i: number) => Float32Array) =>
      new Set(groupsOf(few, seriesOf(few, prints), row)).size;
    expect(groups((i) => Float32Array.of(i))).toBe(2);
    expect(groups(() => Float32Array.of(1))).toBe(1);
  });
});

describe('likeness', () => {
  it('keeps series whole beyond what is compared pair by pair', () => {
    const next = chance(9);
    const rows = Array.from({ length: 1300 }, (_, i) => Float64Array.of(100 * (i % 3) + next(), next()));
    const groups = likenessGroups(rows, 3);
    expect(groups.flat().sort((a, b) => a - b)).toEqual([...rows.keys()]);
    for (const group of groups) expect(new Set(group.map((i) => i % 3)).size).toBe(1);
  });

  it('groups nothing where there is nothing', () => {
    expect(likenessGroups([], 4)).toEqual([]);
    expect(likenessGroups([Float64Array.of(1)], 4)).toEqual([[0]]);
  });
});

describe('a group pattern', () => {
  it.each([
    ['{object}_*.jpg', 'part7_001.jpg', '["part7"]'],
    ['{object}_*.jpg', 'deep/part7_001.jpg', '["part7"]'],
    ['{object}_*.jpg', 'a_b_1.jpg', '["a"]'],
    ['{object}_{day}_*', 'a_b_1.jpg', '["a","b"]'],
    ['{day}/*', 'monday/1.jpg', '["monday"]'],
    ['**/{object}/*', 'x/y/o1/1.jpg', '["o1"]'],
    ['IMG-{set}??.png', 'IMG-1234.png', '["12"]'],
    ['{object}.*', 'Größe (1).jpg', '["Größe (1)"]'],
    ['{object}_*.jpg', 'part7.jpg', undefined],
    ['{day}/*', '1.jpg', undefined],
    ['a+{x}.jpg', 'aa1.jpg', undefined],
  ])('%s on %s: %s', (pattern, name, group) => {
    expect(groupPattern(pattern)(name)).toBe(group);
  });

  it.each(['*_*.jpg', '', '{}', '{a', 'a}b{c}'])('refuses %j', (pattern) => {
    expect(() => groupPattern(pattern)).toThrow(/does not say what makes a group/);
  });

  it('reads numbers behind names', () => {
    expect(numbered('o/IMG_0012.jpg')).toEqual({ series: 'o/IMG_#', number: 12 });
    expect(numbered('a1_b2 (x).jpeg')).toEqual({ series: 'a1_b# (x)', number: 2 });
    expect(numbered('none.jp2')).toBeUndefined();
  });
});
