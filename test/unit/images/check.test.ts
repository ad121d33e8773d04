/** What `upload` asks: is this a whole image within the limits? The same files must be refused when decoding. */
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../../src/lib/base/errors.ts';
import { checkImage } from '../../../src/lib/models/images/check.ts';
import { decodeImage } from '../../../src/lib/models/images/decode.ts';
import { defaultLimits } from '../../../src/lib/models/images/limits.ts';
import { asSharp, pattern, rejection } from '../../support/images.ts';
import { blackPng } from '../../support/png.ts';
import { bmpFiles } from './bmp-files.ts';

const image = pattern(120, 90);
const formats = ['jpeg', 'png', 'webp', 'gif', 'tiff'] as const;
const encode = (format: (typeof formats)[number]) => asSharp(image).toFormat(format).toBuffer();

describe.each([
  ['checkImage', checkImage],
  ['decodeImage', (bytes: Uint8Array) => decodeImage(bytes)],
])('%s', (_, read) => {
  it.each(formats)('takes a whole %s', async (format) => {
    await expect(read(await encode(format))).resolves.toMatchObject({ width: 120, height: 90 });
  });

  it.each(formats.flatMap((format) => [0.97, 0.6, 0.2].map((share) => [format, share] as const)))(
    'refuses a %s cut at %d',
    async (format, share) => {
      const bytes = await encode(format);
      const cut = bytes.subarray(0, Math.floor(bytes.length * share));
      const error = (await rejection(read(cut))) as ImageError;
      expect(error).toBeInstanceOf(ImageError);
      // A TIFF has its directory at the end or the start: where it is gone the file is no longer known as a TIFF.
      const codes = format === 'tiff' ? ['truncated', 'corrupt', 'not_an_image'] : ['truncated'];
      expect(codes).toContain(error.code);
    },
  );

  it('refuses a progressive JPEG that lost its last scan', async () => {
    const bytes = await asSharp(image).jpeg({ progressive: true }).toBuffer();
    await expect(read(bytes.subarray(0, bytes.length - 20))).rejects.toMatchObject({ code: 'truncated' });
  });

  it('refuses a PNG with too few rows', async () => {
    await expect(read(blackPng(100, 100, 60))).rejects.toMatchObject({ name: 'ImageError' });
  });

  it('refuses damaged content', async () => {
    const bytes = Buffer.from(await encode('png'));
    bytes.fill(0x55, 60, 90);
    await expect(read(bytes)).rejects.toMatchObject({ name: 'ImageError', code: 'corrupt' });
  });

  it('refuses a pixel bomb without allocating its pixels', async () => {
    const bomb = blackPng(10_000, 10_000);
    expect(bomb.length).toBeLessThan(20_000);
    const before = process.resourceUsage().maxRSS; // KiB
    await expect(read(bomb)).rejects.toMatchObject({ code: 'too_many_pixels' });
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(50 * 1024);
  });

  it('refuses a side that no format is meant to have', async () => {
    await expect(read(blackPng(1, 65_536))).rejects.toMatchObject({ code: 'too_many_pixels' });
  });
});

it('tells the size and the type', async () => {
  await expect(checkImage(await encode('webp'))).resolves.toEqual({
    format: 'webp',
    contentType: 'image/webp',
    width: 120,
    height: 90,
  });
  const bmp = Buffer.from(bmpFiles[0]!.base64, 'base64');
  await expect(checkImage(bmp)).resolves.toEqual({
    format: 'bmp',
    contentType: 'image/bmp',
    width: 7,
    height: 5,
  });
});

it('holds the file against its limits', async () => {
  const bytes = await encode('png');
  await expect(checkImage(bytes, { ...defaultLimits, maxBytes: bytes.length })).resolves.toBeDefined();
  await expect(checkImage(bytes, { ...defaultLimits, maxBytes: bytes.length - 1 })).rejects.toMatchObject({
    code: 'too_large',
  });
  await expect(checkImage(bytes, { ...defaultLimits, maxPixels: 120 * 90 - 1 })).rejects.toMatchObject({
    code: 'too_many_pixels',
  });
});

it('keeps the memory of a large image to a few rows', async () => {
  const bytes = blackPng(7000, 7000);
  const before = process.resourceUsage().maxRSS; // KiB; decoded whole it is 48 000
  await checkImage(bytes);
  expect(process.resourceUsage().maxRSS - before).toBeLessThan(24 * 1024);
});
