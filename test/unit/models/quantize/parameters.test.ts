import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  activationParameters,
  leastWeightScale,
  quantizeBias,
  quantizeWeights,
  roundingShift,
} from '../../../../src/lib/models/quantize/parameters.ts';

describe('activations as uint8', () => {
  it('spread the range over 256 steps, with an exact zero', () => {
    expect(activationParameters({ min: 0, max: 255 })).toEqual({ scale: 1, zeroPoint: 0 });
    expect(activationParameters({ min: -2, max: 0.55 })).toEqual({
      scale: Math.fround(0.01),
      zeroPoint: 200,
    });
    // What never comes near zero still contains it.
    expect(activationParameters({ min: 3, max: 51 })).toEqual({ scale: Math.fround(0.2), zeroPoint: 0 });
    expect(activationParameters({ min: -51, max: -3 })).toEqual({ scale: Math.fround(0.2), zeroPoint: 255 });
    expect(activationParameters({ min: 0, max: 0 })).toEqual({ scale: 1, zeroPoint: 0 });
  });

  it('are never off by more than a step', () => {
    const number = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(number, number, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, at) => {
        const [min, max] = [Math.min(a, b), Math.max(a, b)];
        const { scale, zeroPoint } = activationParameters({ min, max });
        const value = min + at * (max - min);
        const stored = Math.min(255, Math.max(0, Math.round(value / scale) + zeroPoint));
        expect(Math.abs((stored - zeroPoint) * scale - value)).toBeLessThanOrEqual(scale * 1.01);
      }),
    );
  });
});

describe('weights as int8', () => {
  const none = () => 0;

  it('have a scale for each channel along the axis', () => {
    const weights = Float32Array.of(127, -63.5, 1, 0, -2, 1);
    const rows = quantizeWeights(weights, [2, 3], 0, 127, none);
    expect([...rows.scales]).toEqual([1, Math.fround(2 / 127)]);
    expect([...rows.data]).toEqual([127, -64, 1, 0, -127, 64]); // halves to even
    const columns = quantizeWeights(weights, [2, 3], 1, 127, none);
    expect([...columns.data]).toEqual([127, -127, 127, 0, -4, 127]);
    const outer = quantizeWeights(Float32Array.of(1, 2, 4, 8), [2, 1, 2, 1], 0, 127, none);
    expect([...outer.scales]).toEqual([Math.fround(2 / 127), Math.fround(8 / 127)]);
  });

  it('stay within 7 bits where they must', () => {
    const { data, scales } = quantizeWeights(Float32Array.of(1, -1, 0.5), [1, 3], 0, 64, none);
    expect([...data]).toEqual([64, -64, 32]);
    expect(scales[0]).toBe(1 / 64);
  });

  it('survive channels of zeros', () => {
    const { data, scales } = quantizeWeights(new Float32Array(4), [2, 2], 0, 127, none);
    expect([...data, ...scales]).toEqual([0, 0, 0, 0, 1, 1]);
  });

  it('leave room for a bias that is far greater than they are', () => {
    const inputScale = 0.01;
    const bias = Float32Array.of(5);
    const least = () => leastWeightScale(5, inputScale);
    const { scales } = quantizeWeights(Float32Array.of(1e-12), [1, 1], 0, 127, least);
    const { data, scales: products } = quantizeBias(bias, inputScale, scales);
    expect(data[0]! * products[0]!).toBeCloseTo(5, 5);
  });
});

describe('what rounding takes from a sum', () => {
  const shift = (dims: number[], axis: 0 | 1, groups: number, means: number[]) => {
    const weights = Float32Array.of(127, 0.4, 1, 127, 127, 0.25, 2, 127).subarray(0, dims.reduce((a, b) => a * b, 1));
    const made = quantizeWeights(weights, dims, axis, 127, () => 0);
    return [...roundingShift(weights, made, dims, axis, Float32Array.from(means), groups)];
  };

  it('is the lost weight times the mean of its channel', () => {
    expect(shift([2, 2], 0, 1, [1, 10])).toEqual([Math.fround(0.4) * 10, 0].map(Math.fround));
    expect(shift([2, 2], 1, 1, [10, 1])).toEqual([0, Math.fround(0.4) * 10].map(Math.fround));
  });

  it('finds a channel’s mean in its group, for all positions of the kernel', () => {
    expect(shift([2, 1, 1, 2], 0, 2, [10, 1000])).toEqual([Math.fround(0.4) * 10, 0].map(Math.fround));
    expect(shift([2, 1, 2, 2], 0, 2, [10, 1000])).toEqual([4, 250].map(Math.fround));
  });
});
