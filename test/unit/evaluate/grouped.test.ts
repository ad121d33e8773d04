/** Intervals over grouped images: what they come to by hand, and how often they hold where the truth is known. */
import { describe, expect, it } from 'vitest';
import { wilson } from '../../../src/lib/base/statistics.ts';
import { differenceInterval, shareInterval } from '../../../src/lib/learning/evaluate/grouped.ts';
import { randomNumbers } from '../../../src/lib/learning/train/network/epoch.ts';

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);
/** Group `g` has `sizes[g]` images. */
const groupsOf = (sizes: readonly number[]) => sizes.flatMap((size, g) => times(size, g));

describe('shareInterval', () => {
  it('is that of single images where every image is a group', () => {
    const right = [...times(160, true), ...times(40, false)];
    const { low, high } = shareInterval(right, [...right.keys()])!;
    const single = wilson(160, 200);
    // Student's quantile for 200 groups is 0.6 % wider, and the variance is one of 199.
    expect(low).toBeCloseTo(single.low, 2);
    expect(high).toBeCloseTo(single.high, 2);
    expect(high - low).toBeGreaterThan(single.high - single.low);
  });

  it('counts groups where all images of a group fare alike', () => {
    const groups = groupsOf(times(40, 5));
    const right = groups.map((g) => g < 30);
    const { low, high } = shareInterval(right, groups)!;
    // 30 of 39 draws (n − 1), with Student's quantile of 39 degrees of freedom.
    const expected = wilson(0.75 * 39, 39, 2.0227);
    expect(low).toBeCloseTo(expected.low, 3);
    expect(high).toBeCloseTo(expected.high, 3);
  });

  it('is not certain where everything is right: each group is one picture then', () => {
    const groups = groupsOf(times(10, 30));
    expect(shareInterval(times(300, true), groups)).toEqual({
      low: expect.closeTo(wilson(10, 10, 2.262).low, 2) as number,
      high: 1,
    });
  });

  it('says nothing of fewer than four groups', () => {
    expect(shareInterval(times(30, true), groupsOf(times(3, 10)))).toBeNull();
    expect(shareInterval([], [])).toBeNull();
  });
});

describe('differenceInterval', () => {
  it('is that of single pairs where every image is a group', () => {
    // 14 against 2 of 24: Agresti and Min's 12 / 26 ± 1.96 √(17 − 144 / 26) / 26, with Student's 2.069.
    const first = [...times(14, true), ...times(2, false), ...times(8, true)];
    const second = [...times(14, false), ...times(2, true), ...times(8, true)];
    const { mean, low, high } = differenceInterval(first, second, [...first.keys()])!;
    expect(mean).toBe(0.5);
    expect(low).toBeCloseTo(12 / 26 - (2.069 * Math.sqrt(17 - 144 / 26)) / 26, 1);
    expect(high).toBeCloseTo(12 / 26 + (2.069 * Math.sqrt(17 - 144 / 26)) / 26, 1);
    const turned = differenceInterval(second, first, [...first.keys()])!;
    expect([turned.low, turned.high]).toEqual([-high, -low]);
  });

  it('does not call models equal that answered alike', () => {
    const right = times(40, true);
    const { mean, low, high } = differenceInterval(right, right, [...right.keys()])!;
    expect(mean).toBe(0);
    expect(high).toBeGreaterThan(0.02);
    expect(low).toBe(-high);
  });
});

describe('of 400 draws of known truth', () => {
  const draws = 400;

  /** 70 groups of 1 to 7 images; half of the images of a group share one outcome. Returns the shares that held the truth. */
  function coverage(truth: number, ahead: number) {
    const random = randomNumbers(1);
    const held = { grouped: 0, single: 0, difference: 0 };
    for (let draw = 0; draw < draws; draw++) {
      const groups: number[] = [];
      const first: boolean[] = [];
      const second: boolean[] = [];
      for (let g = 0; g < 70; g++) {
        const [shared, other] = [random(), random()];
        for (let left = 1 + Math.floor(random() * 7); left > 0; left--) {
          const [a, b] = [random() < 0.5 ? shared : random(), random() < 0.5 ? other : random()];
          groups.push(g);
          first.push(a < truth);
          second.push(b < truth - ahead);
        }
      }
      const holds = ({ low, high }: { low: number; high: number }, value: number) =>
        low <= value && value <= high ? 1 / draws : 0;
      held.grouped += holds(shareInterval(first, groups)!, truth);
      held.single += holds(wilson(first.filter(Boolean).length, first.length), truth);
      held.difference += holds(differenceInterval(first, second, groups)!, ahead);
    }
    return held;
  }

  it.each([
    [0.75, 0.03],
    [0.6, 0],
  ])('an accuracy of %s and a lead of %s are in the interval 95 times of 100, not 85', (truth, ahead) => {
    const { grouped, single, difference } = coverage(truth, ahead);
    expect(grouped).toBeGreaterThan(0.92);
    expect(difference).toBeGreaterThan(0.92);
    expect(difference).toBeLessThan(0.99);
    // What groups are for.
    expect(single).toBeLessThan(0.9);
  });
});
