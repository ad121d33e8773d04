/** A benchmark against an earlier one: what is worse, and by how much. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compare, comparisonReport, readBaseline } from '../../../src/lib/local/bench/baseline.ts';

const baseline = { findings: { rooflineRatio: 0.9, cpuOverRoofline: 1.2 } };

describe('a baseline', () => {
  it.each([
    ['the same', { rooflineRatio: 0.9, cpuOverRoofline: 1.2 }, [0, 0], [true, true]],
    ['better', { rooflineRatio: 1, cpuOverRoofline: 1 }, [-0.1, -1 / 6], [true, true]],
    ['fewer images', { rooflineRatio: 0.6, cpuOverRoofline: 1.2 }, [0.5, 0], [false, true]],
    ['more processor time', { rooflineRatio: 0.9, cpuOverRoofline: 1.8 }, [0, 0.5], [true, false]],
    ['a little worse', { rooflineRatio: 0.8, cpuOverRoofline: 1.3 }, [0.125, 1 / 12], [true, true]],
  ])('%s', (_, findings, worseBy, ok) => {
    const comparisons = compare(baseline, findings);
    expect(comparisons.map((c) => c.ok)).toEqual(ok);
    comparisons.forEach((c, n) => expect(c.worseBy).toBeCloseTo(worseBy[n]!));
    const isSlower = /slower than the baseline/.test(comparisonReport(comparisons));
    expect(isSlower).toBe(ok.includes(false));
  });

  it('is what bench --json printed, or refused with how to make one', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'visionscale-baseline-')), 'baseline.json');
    expect(() => readBaseline(file)).toThrow(`${file} is not there`);
    for (const text of ['', '{}', '{"findings":{"rooflineRatio":0,"cpuOverRoofline":1}}']) {
      writeFileSync(file, text);
      expect(() => readBaseline(file)).toThrow(`${file} is not what bench --json prints`);
    }
    writeFileSync(file, JSON.stringify({ figures: [], ...baseline }));
    expect(readBaseline(file)).toEqual(baseline);
  });
});
