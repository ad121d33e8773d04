/** GIF: all pixels of the first frame, which is all that is read; what lacks some of them is refused. */
import { describe, expect, it } from 'vitest';
import { checkImage } from '../../../src/lib/models/images/check.ts';
import { decodeImage } from '../../../src/lib/models/images/decode.ts';
import { asSharp, pattern, rejection } from '../../support/images.ts';

const pixels = (data: Uint8Array) => [...data];
const image = pattern(60, 40);
const whole = await asSharp(image).gif({ dither: 0 }).toBuffer();

/** 2×1 pixels, red and blue; `codes` is what a file may say instead of clear, 0, 1, end. */
function tiny({ before = [] as number[], codes = [0x44, 0x0a], after = [0x3b], screen = [2, 0, 1, 0] } = {}) {
  const palette = [255, 0, 0, 0, 0, 255];
  return Buffer.from([
    ...Buffer.from('GIF89a'),
    ...[...screen, 0x80, 0, 0, ...palette],
    ...before,
    ...[0x2c, 0, 0, 0, 0, 2, 0, 1, 0, 0, 2],
    ...[codes.length, ...codes, 0],
    ...after,
  ]);
}

it('gives the pixels that libvips gives', async () => {
  const { default: sharp } = await import('sharp');
  const expected = await sharp(whole).removeAlpha().raw().toBuffer();
  expect(pixels((await decodeImage(whole)).data)).toEqual(pixels(expected));
});

describe('what lacks pixels is refused', () => {
  const zeroes = Buffer.from(whole).fill(0, whole.length >> 1);
  it.each([
    ['the second half is zeros', zeroes, 'truncated'],
    ['the file was cut', whole.subarray(0, whole.length - 30), 'truncated'],
    ['its pixels end too early', tiny({ codes: [0x44, 0x05] }), 'truncated'],
    ['a code without a meaning', tiny({ codes: [0x3c, 0x0a] }), 'corrupt'],
    ['no picture in it', Buffer.from([...tiny().subarray(0, 19), 0x3b]), 'corrupt'],
    ['an extension without an end', Buffer.from([...tiny().subarray(0, 19), 0x21, 0xfe, 200]), 'truncated'],
  ])('%s', async (_, bytes, code) => {
    for (const read of [decodeImage, checkImage]) {
      expect(await rejection(read(bytes))).toMatchObject({ name: 'ImageError', code });
    }
  });
});

it('reads nothing behind the first frame', async () => {
  const noise = Array.from({ length: 5000 }, (_, i) => (i * 7919) & 255);
  expect(pixels((await decodeImage(tiny({ after: noise }))).data)).toEqual([255, 0, 0, 0, 0, 255]);
  expect(pixels((await decodeImage(tiny({ after: [] }))).data)).toEqual([255, 0, 0, 0, 0, 255]);
});

it('gives transparent pixels the colour of the palette', async () => {
  const transparent = tiny({ before: [0x21, 0xf9, 4, 1, 0, 0, 1, 0] });
  expect(pixels((await decodeImage(transparent)).data)).toEqual([255, 0, 0, 0, 0, 255]);
});

it('fills what the frame leaves free with the transparent colour', async () => {
  const wide = tiny({ before: [0x21, 0xf9, 4, 1, 0, 0, 1, 0], screen: [3, 0, 1, 0] });
  expect(pixels((await decodeImage(wide)).data)).toEqual([255, 0, 0, 0, 0, 255, 0, 0, 255]);
});

it('holds the screen against the limits before its pixels are unpacked', async () => {
  const vast = tiny({ screen: [0xff, 0xff, 0xff, 0xff] });
  expect(await rejection(decodeImage(vast))).toMatchObject({ code: 'too_many_pixels' });
});
