/** Encoded images to RGB pixels: every format and variant, EXIF orientation, the first frame. */
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../../src/lib/models/images/decode.ts';
import { asSharp, pattern, plainJpeg } from '../../support/images.ts';

const image = pattern(23, 11);
const pixels = (data: Uint8Array) => [...data];

/** 2×1: orange and blue, each channel distinct. */
const two = Uint8Array.of(250, 130, 10, 20, 40, 200);
const twoPixels = (channels: 3 | 4, data: Uint8Array = two) =>
  sharp(data, { raw: { width: 2, height: 1, channels } });

describe('lossless formats keep every value', () => {
  it.each([
    ['png', asSharp(image).png()],
    ['interlaced png', asSharp(image).png({ progressive: true })],
    ['webp', asSharp(image).webp({ lossless: true })],
    ['tiff, lzw', asSharp(image).tiff({ compression: 'lzw' })],
    [
      'tiff, deflate, tiled',
      asSharp(image).tiff({ compression: 'deflate', tile: true, tileWidth: 16, tileHeight: 16 }),
    ],
  ])('%s', async (_, encoded) => {
    const decoded = await decodeImage(await encoded.toBuffer());
    expect(decoded).toMatchObject({ width: 23, height: 11 });
    expect(pixels(decoded.data)).toEqual(pixels(image.data));
  });
});

describe('colour', () => {
  it('jpeg is close to what was encoded', async () => {
    const { data } = await decodeImage(await plainJpeg('#6496c8'));
    for (const [i, value] of data.entries())
      expect(Math.abs(value - [100, 150, 200][i % 3]!)).toBeLessThanOrEqual(2);
  });

  it('grey becomes three equal channels', async () => {
    const grey = sharp(Uint8Array.of(0, 99, 255), { raw: { width: 3, height: 1, channels: 1 } });
    const { data } = await decodeImage(await grey.toColourspace('b-w').png().toBuffer());
    expect(pixels(data)).toEqual([0, 0, 0, 99, 99, 99, 255, 255, 255]);
  });

  it('a palette is looked up', async () => {
    const { data } = await decodeImage(await twoPixels(3).png({ palette: true, quality: 100 }).toBuffer());
    expect(pixels(data)).toEqual(pixels(two));
  });

  it('alpha is dropped, not blended', async () => {
    const rgba = Uint8Array.of(250, 130, 10, 0, 20, 40, 200, 128);
    const { data } = await decodeImage(await twoPixels(4, rgba).png().toBuffer());
    expect(pixels(data)).toEqual(pixels(two));
  });

  it('grey with alpha', async () => {
    const greyAlpha = sharp(Uint8Array.of(77, 0, 200, 255), { raw: { width: 2, height: 1, channels: 2 } });
    const { data } = await decodeImage(await greyAlpha.toColourspace('b-w').png().toBuffer());
    expect(pixels(data)).toEqual([77, 77, 77, 200, 200, 200]);
  });

  it('16-bit colour keeps its high bytes', async () => {
    const wide = Uint16Array.of(0x12ff, 0x80fe, 0xff00);
    const raw = { width: 1, height: 1, channels: 3, depth: 'ushort' } as const;
    const encoded = await sharp(wide, { raw }).toColourspace('rgb16').png().toBuffer();
    expect((await sharp(encoded).metadata()).depth).toBe('ushort');
    expect(pixels((await decodeImage(encoded)).data)).toEqual([0x12, 0x80, 0xff]);
  });

  it('16-bit grey keeps its high byte', async () => {
    const raw = { width: 2, height: 1, channels: 1, depth: 'ushort' } as const;
    const encoded = await sharp(Uint16Array.of(0x01ff, 0xabcd), { raw })
      .toColourspace('grey16')
      .png()
      .toBuffer();
    expect((await sharp(encoded).metadata()).depth).toBe('ushort');
    expect(pixels((await decodeImage(encoded)).data)).toEqual([1, 1, 1, 0xab, 0xab, 0xab]);
  });

  it('CMYK is converted as Pillow does, without a profile', async () => {
    // Written by Pillow: one pixel of cyan 200, magenta 100, yellow 50, black 25, which it reads as 50, 140, 185.
    const { data } = await decodeImage(cmykTiff([200, 100, 50, 25]));
    expect(pixels(data)).toEqual([50, 140, 185]);
  });

  it('an embedded profile changes nothing', async () => {
    const plain = asSharp(image).png();
    const profiled = await plain.clone().withIccProfile('p3', { attach: true }).toBuffer();
    const withoutProfile = await sharp(profiled, { ignoreIcc: true }).raw().toBuffer();
    expect((await sharp(profiled).metadata()).icc).toBeDefined();
    expect(pixels((await decodeImage(profiled)).data)).toEqual(pixels(withoutProfile));
  });
});

describe('orientation', () => {
  const rotated = () => twoPixels(3).withMetadata({ orientation: 6 }).png().toBuffer();

  it('is applied: 6 is a quarter turn clockwise', async () => {
    expect(await decodeImage(await rotated())).toMatchObject({ width: 1, height: 2 });
  });

  it.each([
    [2, 2, [20, 40, 200, 250, 130, 10]],
    [3, 2, [20, 40, 200, 250, 130, 10]],
    [6, 1, pixels(two)],
    [8, 1, [20, 40, 200, 250, 130, 10]],
  ])('%i puts the pixels where they belong', async (orientation, width, expected) => {
    const decoded = await decodeImage(await twoPixels(3).withMetadata({ orientation }).png().toBuffer());
    expect(decoded.width).toBe(width);
    expect(pixels(decoded.data)).toEqual(expected);
  });

  it('is left alone on request', async () => {
    expect(await decodeImage(await rotated(), { autoOrient: false })).toMatchObject({ width: 2, height: 1 });
  });
});

describe('shape', () => {
  it.each([
    [1, 1],
    [1, 5000],
    [5000, 1],
  ])('%i×%i', async (width, height) => {
    const source = pattern(width, height);
    const decoded = await decodeImage(await asSharp(source).png().toBuffer());
    expect(decoded).toMatchObject({ width, height });
    expect(pixels(decoded.data)).toEqual(pixels(source.data));
  });

  it.each(['gif', 'webp'] as const)('the first frame of an animated %s', async (format) => {
    const frame = (background: string) => ({
      create: { width: 8, height: 6, channels: 3 as const, background },
    });
    const frames = await Promise.all(
      ['red', 'lime', 'blue'].map((colour) => sharp(frame(colour)).png().toBuffer()),
    );
    const animated = sharp(frames, { join: { animated: true } });
    const encoded = await (format === 'gif' ? animated.gif() : animated.webp({ lossless: true })).toBuffer();
    expect((await sharp(encoded).metadata()).pages).toBe(3);
    const { data, width, height } = await decodeImage(encoded);
    expect([width, height]).toEqual([8, 6]);
    expect(pixels(data.subarray(0, 3))).toEqual([255, 0, 0]);
  });
});

it('an animated WebP costs no more than its first frame', async () => {
  const colours = ['red', 'blue'] as const;
  const frames = await Promise.all(
    colours.map((background) =>
      sharp({ create: { width: 1, height: 1, channels: 3, background } })
        .png()
        .toBuffer(),
    ),
  );
  const two = await sharp(frames, { join: { animated: true } })
    .webp({ lossless: true })
    .toBuffer();
  const frame = two.subarray(two.lastIndexOf('ANMF'));
  const many = Buffer.concat([two, ...Array.from({ length: 300_000 }, () => frame)]);
  many.writeUInt32LE(many.length - 8, 4);
  // Read frame by frame it takes hours.
  expect(pixels((await decodeImage(many)).data)).toEqual([255, 0, 0]);
});

/** An uncompressed TIFF of one CMYK pixel: sharp converts while it writes, so this one is made by hand. */
function cmykTiff(inks: number[]): Buffer {
  const tags = [
    [256, 3, 1, 1], // width
    [257, 3, 1, 1], // height
    [258, 3, 4, 126], // bits a sample, four of them, behind the directory
    [259, 3, 1, 1], // no compression
    [262, 3, 1, 5], // CMYK
    [273, 4, 1, 134], // where the pixels are
    [277, 3, 1, 4], // samples a pixel
    [278, 3, 1, 1], // rows a strip
    [279, 4, 1, 4], // bytes of the strip
  ] as const;
  const file = Buffer.alloc(138);
  file.write('II*\0', 'latin1');
  file.writeUInt32LE(8, 4);
  file.writeUInt16LE(tags.length, 8);
  for (const [i, [tag, type, count, value]] of tags.entries()) {
    const at = 10 + 12 * i;
    file.writeUInt16LE(tag, at);
    file.writeUInt16LE(type, at + 2);
    file.writeUInt32LE(count, at + 4);
    file.writeUInt32LE(value, at + 8);
  }
  for (let i = 0; i < 4; i++) file.writeUInt16LE(8, 126 + 2 * i);
  file.set(inks, 134);
  return file;
}
