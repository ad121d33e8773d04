/** What a file is: the six formats, and a reason for everything else. */
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../../src/lib/base/errors.ts';
import { sniffImage } from '../../../src/lib/models/images/sniff.ts';
import { asSharp, pattern, rejection } from '../../support/images.ts';
import { bmpFiles } from './bmp-files.ts';

const ftyp = (brand: string) => Buffer.from(`\0\0\0\x18ftyp${brand}\0\0\0\0mif1${brand}`, 'latin1');

describe('accepted', () => {
  it.each(['jpeg', 'png', 'webp', 'gif', 'tiff'] as const)('%s', async (format) => {
    const bytes = await asSharp(pattern(9, 7)).toFormat(format).toBuffer();
    await expect(sniffImage(bytes)).resolves.toEqual({ format, contentType: `image/${format}` });
  });

  it('bmp', async () => {
    const bytes = Buffer.from(bmpFiles[0]!.base64, 'base64');
    await expect(sniffImage(bytes)).resolves.toEqual({ format: 'bmp', contentType: 'image/bmp' });
  });

  it('an animated PNG, for its first frame', async () => {
    const png = await asSharp(pattern(9, 7)).png().toBuffer();
    const control = Buffer.from('\0\0\0\x08acTL\0\0\0\x01\0\0\0\0\x3c\xd0\x6c\x8e', 'latin1');
    const animated = Buffer.concat([png.subarray(0, 33), control, png.subarray(33)]);
    await expect(sniffImage(animated)).resolves.toMatchObject({ format: 'png' });
  });
});

describe('refused', () => {
  const svg = '<?xml version="1.0"?>\n<!-- a drawing -->\n<svg xmlns="http://www.w3.org/2000/svg"/>';
  it.each([
    ['nothing', Buffer.alloc(0), 'empty', /interrupted/],
    ['text', Buffer.from('This is called photo.jpg.'), 'not_an_image', /content decides/],
    [
      'HTML',
      Buffer.from('<!doctype html><html><body><svg></svg></body></html>'),
      'not_an_image',
      /content decides/,
    ],
    ['one byte', Buffer.from([0xff]), 'not_an_image', /content decides/],
    ['PDF', Buffer.from('%PDF-1.7\n1 0 obj'), 'not_an_image', /content decides/],
    ['SVG', Buffer.from(svg), 'unsupported_format', /export it as PNG/],
    ['SVG without a prolog', Buffer.from('<svg width="1"/>'), 'unsupported_format', /export it as PNG/],
    ['HEIC', ftyp('heic'), 'unsupported_format', /Most Compatible/],
    ['HEIF', ftyp('mif1'), 'unsupported_format', /Most Compatible/],
    ['AVIF', ftyp('avif'), 'unsupported_format', /Convert it to JPEG/],
    ['Photoshop', Buffer.from('8BPS\0\x01\0\0', 'latin1'), 'unsupported_format', /Convert it to JPEG/],
  ])('%s', async (_, bytes, code, hint) => {
    const error = await rejection(sniffImage(bytes));
    expect(error).toBeInstanceOf(ImageError);
    expect(error).toMatchObject({ code, retryable: false });
    expect((error as ImageError).hint).toMatch(hint);
  });

  it('HEIC, with what converts it in the reason itself', async () => {
    const { message } = (await rejection(sniffImage(ftyp('heic')))) as ImageError;
    for (const tool of ['heif-convert', 'sips -s format jpeg', 'magick']) expect(message).toContain(tool);
  });

  // Type, then 9×7 pixels of so many bits, from the top.
  const tga = (type: number, depth: number) =>
    Buffer.from([0, 0, type, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 7, 0, depth, 32, ...Buffer.alloc(600, 90)]);
  const palette = Buffer.alloc(800);
  palette.set([0, 1, 1, 0, 0, 0, 1, 24]);
  it.each([
    ['plain', tga(2, 24)],
    ['with transparency', tga(2, 32)],
    ['grey', tga(3, 8)],
    ['run-length encoded', tga(10, 24)],
    ['with a palette, by its end', Buffer.concat([palette, Buffer.from('TRUEVISION-XFILE.\0')])],
  ])('TGA, %s, under its name', async (_, bytes) => {
    await expect(sniffImage(bytes)).rejects.toMatchObject({
      code: 'unsupported_format',
      message: 'TGA images are not supported',
      hint: expect.stringContaining('Convert it') as string,
    });
  });

  it.each([
    ['an icon', Buffer.from([0, 0, 1, 0, 1, 0, 16, 16, 0, 0, 1, 0, 32, 0, 0, 4, 0, 0, 22, 0])],
    ['a mouse pointer', Buffer.from([0, 0, 2, 0, 1, 0, 16, 16, 0, 0, 1, 0, 1, 0, 0, 4, 0, 0, 22, 0])],
  ])('%s is no TGA', async (_, bytes) => {
    await expect(sniffImage(bytes)).rejects.toMatchObject({ message: 'icon images are not supported' });
  });

  it.each([18, 600])('%i zeros are nothing', async (length) => {
    await expect(sniffImage(Buffer.alloc(length))).rejects.toMatchObject({ code: 'not_an_image' });
  });

  it('AVIF as sharp writes it', async () => {
    const bytes = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
      .avif()
      .toBuffer();
    await expect(sniffImage(bytes)).rejects.toMatchObject({ code: 'unsupported_format' });
  });
});
