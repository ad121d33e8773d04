/** The `fast` preprocessing: close to `exact` where it takes its own way, the same where it does not. */
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../../src/lib/base/errors.ts';
import { decodeCrop, openPrepare, type PrepareOptions } from '../../../src/lib/models/images/prepare.ts';
import { imagenetPreprocessing } from '../../../src/lib/models/images/preprocess.ts';
import { asSharp, pattern, rejection } from '../../support/images.ts';
import { thorough, thoroughTitle } from '../../support/thorough.ts';

async function both(bytes: Uint8Array, options: Partial<PrepareOptions> = {}) {
  const prepare = (mode: 'exact' | 'fast') =>
    openPrepare({ preprocessing: imagenetPreprocessing, ...options, mode })(bytes);
  return [(await prepare('exact')).input, (await prepare('fast')).input] as const;
}

/** Mean distance in levels of 0 to 255; a standard deviation is some 58 of them. */
function distance(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return (58 * a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0)) / a.length;
}

/** Smooth, and different in every corner: a turn or a shift shows. */
function photograph(width: number, height: number) {
  return asSharp(pattern(16, 12)).resize(width, height, { fit: 'fill', kernel: 'cubic' });
}

describe('fast preprocessing', () => {
  const close = [
    ['a photograph', 500, 375],
    ['a small one', 90, 120],
    ['a wide one', 1200, 320],
    ['one decoded at an eighth', 4000, 3000],
  ] as const;
  it.each(thorough ? close : close.slice(0, 3))('is close to exact: %s', async (_, width, height) => {
    const jpeg = await photograph(width, height).jpeg({ quality: 95 }).toBuffer();
    expect((await decodeCrop(jpeg, imagenetPreprocessing)).cropped).toBe(true);
    const [exact, fast] = await both(jpeg);
    expect(distance(exact, fast)).toBeLessThan(1.5);
  });

  const turns = async (orientation: number) => {
    const jpeg = await photograph(1200, 900).withMetadata({ orientation }).jpeg().toBuffer();
    const [exact, fast] = await both(jpeg);
    expect(distance(exact, fast)).toBeLessThan(1.5);
    const [upright, unturned] = await both(jpeg, { autoOrient: false });
    expect(distance(upright, unturned)).toBeLessThan(1.5);
    if (orientation > 1) expect(distance(exact, unturned)).toBeGreaterThan(10);
  };
  it.each([1, 6])('turns as EXIF orientation %i says', turns);
  it.runIf(thorough).each([2, 3, 4, 5, 7, 8])(thoroughTitle('turns as EXIF orientation %i says'), turns);

  it('takes grey images too', async () => {
    const grey = await photograph(600, 400).toColourspace('b-w').jpeg().toBuffer();
    expect((await decodeCrop(grey, imagenetPreprocessing)).cropped).toBe(true);
    const [exact, fast] = await both(grey);
    expect(distance(exact, fast)).toBeLessThan(1.5);
  });

  const exactly = [
    ['alpha', () => photograph(300, 300).ensureAlpha(0.3).png().toBuffer()],
    ['16 bits', () => photograph(300, 300).toColourspace('rgb16').png().toBuffer()],
    ['ink', () => photograph(300, 300).toColourspace('cmyk').jpeg().toBuffer()],
    ['an extreme shape', () => photograph(1, 5000).png().toBuffer()],
  ] as const;
  it.each(thorough ? exactly : exactly.slice(0, 1))('is exact for %s', async (_, draw) => {
    const bytes = await draw();
    expect((await decodeCrop(bytes, imagenetPreprocessing)).cropped).toBe(false);
    const [exact, fast] = await both(bytes);
    expect(fast).toEqual(exact);
  });

  it('refuses what exact refuses', async () => {
    const jpeg = await photograph(800, 600).jpeg().toBuffer();
    const half = jpeg.subarray(0, jpeg.length / 2);
    for (const [bytes, code] of [
      [half, 'truncated'],
      [Buffer.from('no image'), 'not_an_image'],
      [Buffer.alloc(0), 'empty'],
    ] as const) {
      const error = await rejection(decodeCrop(bytes, imagenetPreprocessing));
      expect(error).toBeInstanceOf(ImageError);
      expect(error).toMatchObject({ code });
    }
    const limits = { maxBytes: 1e9, maxPixels: 1000 };
    const bomb = await sharp({ create: { width: 2000, height: 2000, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    expect(await rejection(decodeCrop(bomb, imagenetPreprocessing, { limits }))).toMatchObject({
      code: 'too_many_pixels',
    });
  });
});
