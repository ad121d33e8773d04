/** The resize against arrays that Pillow 13 computed from the same pattern. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Layout, withKernels } from '../../../src/lib/models/images/kernels.ts';
import {
  cropWindow,
  imagenetPreprocessing,
  openNormalize,
  openPreprocess,
} from '../../../src/lib/models/images/preprocess.ts';
import { resizeWindow } from '../../../src/lib/models/images/resize.ts';
import { pattern, shortDigest } from '../../support/images.ts';

const whole = (width: number, height: number) => ({ left: 0, top: 0, width, height });

describe('Image.resize(…, BILINEAR), and BICUBIC', () => {
  it('down, 5×4 to 3×3', () => {
    const { data } = resizeWindow(pattern(5, 4), { width: 3, height: 3 }, whole(3, 3));
    // prettier-ignore
    expect([...data]).toEqual([
      7, 1, 18, 18, 5, 20, 29, 14, 22, 23, 5, 20, 34, 9, 32, 45, 18, 44, 38, 8, 22, 49, 12, 44, 60, 21, 66,
    ]);
  });

  it('up, 4×3 to 7×6', () => {
    const { data } = resizeWindow(pattern(4, 3), { width: 7, height: 6 }, whole(7, 6));
    // prettier-ignore
    expect([...data]).toEqual([
      0, 0, 17, 3, 0, 17, 7, 1, 17, 11, 3, 17, 14, 4, 17, 18, 7, 17, 21, 9, 17, 3, 1, 17, 6, 1, 18, 10, 2, 18, 14, 4,
      19, 17, 5, 20, 21, 8, 20, 24, 10, 21, 10, 2, 17, 13, 2, 19, 17, 3, 21, 21, 5, 23, 24, 6, 25, 28, 9, 27, 31, 11,
      28, 16, 4, 17, 19, 4, 20, 23, 5, 23, 27, 7, 27, 30, 8, 30, 34, 11, 33, 37, 13, 36, 23, 5, 17, 26, 5, 21, 30, 6,
      25, 34, 8, 30, 37, 9, 35, 41, 12, 40, 44, 14, 43, 26, 6, 17, 29, 6, 21, 33, 7, 26, 37, 9, 32, 40, 10, 38, 44, 13,
      43, 47, 15, 47,
    ]);
  });

  it('bicubic, 5×4 to 3×3', () => {
    const { data } = resizeWindow(pattern(5, 4), { width: 3, height: 3 }, whole(3, 3), 'bicubic');
    // prettier-ignore
    expect([...data]).toEqual([
      4, 1, 17, 16, 5, 19, 28, 14, 20, 22, 5, 20, 34, 9, 32, 46, 18, 44, 39, 8, 22, 51, 12, 45, 63, 21, 68,
    ]);
  });

  it('to the same size changes nothing', () => {
    const image = pattern(9, 5);
    expect([...resizeWindow(image, image, whole(9, 5)).data]).toEqual([...image.data]);
  });

  it('of a window is the window of the resize', () => {
    const image = pattern(50, 41);
    const size = { width: 37, height: 29 };
    const all = resizeWindow(image, size, whole(37, 29)).data;
    const { data } = resizeWindow(image, size, { left: 5, top: 7, width: 11, height: 13 });
    for (let y = 0; y < 13; y++) {
      const row = ((7 + y) * 37 + 5) * 3;
      expect([...data.subarray(y * 33, (y + 1) * 33)]).toEqual([...all.subarray(row, row + 33)]);
    }
  });
});

describe('Resize(256), CenterCrop(224)', () => {
  it.each([
    [500, 375, 'df22393a9936e623'],
    [375, 500, 'c3d8268dc4d3c43b'],
    [256, 256, '4f9f2c5cd447a6b2'],
    [300, 256, 'ee7aa482eb24b9ce'],
    [224, 1000, 'a3d61ec3f2541a70'],
    [1, 1, '224fbeab9265ebcb'],
    [64, 48, '60ce56b55722007c'],
    [1, 5000, 'ecbc9c4ceba89d58'],
    [5000, 1, '2d04cac2b177d8c2'],
    [1001, 667, '85ffadf06d17fd53'],
    [257, 259, '122255537a28b95e'],
    [100, 101, 'dc78232d0f42728f'],
  ])('%i×%i', (width, height, expected) => {
    const image = pattern(width, height);
    const { size, window } = cropWindow(image, imagenetPreprocessing);
    expect(shortDigest(resizeWindow(image, size, window).data)).toBe(expected);
  });

  it.each([
    [500, 375, '2eff2450986c8422'],
    [375, 500, '5da06d0505aceaaa'],
    [256, 256, '4f9f2c5cd447a6b2'],
    [300, 256, 'ee7aa482eb24b9ce'],
    [224, 1000, '8d871a9f69a1bb0a'],
    [1, 1, '224fbeab9265ebcb'],
    [64, 48, '2635d4d0ee9eaef1'],
    [1001, 667, '042fe2c932caafac'],
    [257, 259, '448ebff71ad2abe3'],
    [100, 101, '5684a8f742ef6bd5'],
  ])('%i×%i, bicubic', (width, height, expected) => {
    const image = pattern(width, height);
    const { size, window } = cropWindow(image, imagenetPreprocessing);
    expect(shortDigest(resizeWindow(image, size, window, 'bicubic').data)).toBe(expected);
  });

  it.each([
    [500, 375, 341, 256, 58, 16], // (341 - 224) / 2 = 58.5: to even
    [375, 500, 256, 341, 16, 58],
    [503, 375, 343, 256, 60, 16], // 59.5: to even
    [257, 256, 257, 256, 16, 16], // 16.5: to even
    [1, 5000, 256, 1_280_000, 16, 639_888],
  ])('%i×%i: %i×%i, window at %i, %i', (width, height, newWidth, newHeight, left, top) => {
    expect(cropWindow({ width, height }, imagenetPreprocessing)).toEqual({
      size: { width: newWidth, height: newHeight },
      window: { left, top, width: 224, height: 224 },
    });
  });

  it('takes a window out of an extreme shape without the rest', () => {
    const before = process.resourceUsage().maxRSS; // KiB; resized whole it is 960 000
    openPreprocess(imagenetPreprocessing)(pattern(1, 5000));
    openPreprocess(imagenetPreprocessing)(pattern(65_535, 1));
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(100 * 1024);
  });
});

describe('the kernels', () => {
  it('are what kernels.wat compiles to', async () => {
    await promisify(execFile)(process.execPath, ['.ci/lib/kernels.mjs', '--check']);
  });

  it('do not keep the memory that a huge image took', () => {
    const memoryOf = (layout: Layout) => withKernels(layout, (_, memory) => memory.byteLength);
    const huge = new Layout();
    huge.take(40e6);
    expect(memoryOf(huge)).toBeGreaterThan(40e6);
    expect(memoryOf(new Layout())).toBeLessThan(17e6);
  });
});

describe('ToTensor, Normalize', () => {
  it.each([1, 2, 3, 5, 6, 16])('is rounded to float32 after each step, %i×%i', (crop) => {
    const { mean, std } = imagenetPreprocessing;
    const f = Math.fround;
    for (let base = 0; base < 256; base += 3 * crop ** 2) {
      const data = Uint8Array.from({ length: 3 * crop ** 2 }, (_, i) => base + i);
      const input = openNormalize({ ...imagenetPreprocessing, crop })({ data, width: crop, height: crop });
      const expected = Float32Array.from(data, (_, i) => {
        const channel = Math.floor(i / crop ** 2);
        const sample = data[(i % crop ** 2) * 3 + channel]!;
        return f(f(f(sample / 255) - f(mean[channel]!)) / f(std[channel]!));
      });
      expect(input).toEqual(expected);
    }
  });

  it('puts channel before row before column, normalised in float32', () => {
    const image = {
      data: Uint8Array.of(0, 128, 255, 10, 20, 30, 40, 50, 60, 70, 80, 90),
      width: 2,
      height: 2,
    };
    const input = openPreprocess({ ...imagenetPreprocessing, resize: 2, crop: 2 })(image);
    // torch: ((value / 255) - mean) / std in float32
    const expected = [0, 10, 40, 70, 128, 20, 50, 80, 255, 30, 60, 90].map((value, i) => {
      const channel = Math.floor(i / 4);
      const { mean, std } = imagenetPreprocessing;
      return (value / 255 - mean[channel]!) / std[channel]!;
    });
    expect(input).toHaveLength(12);
    for (const [i, value] of expected.entries()) expect(input[i]).toBeCloseTo(value, 5);
  });
});
