/** What files say of themselves beside their pixels: read within bounds, however much of it there is. */
import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../../src/lib/base/errors.ts';
import { firstWebpFrame, readHeader } from '../../../src/lib/models/images/header.ts';
import { defaultLimits } from '../../../src/lib/models/images/limits.ts';
import { rejection } from '../../support/images.ts';
import { blackPng, chunk } from '../../support/png.ts';

describe('profiles of a PNG', () => {
  const exif = Buffer.from('49492a0008000000010012010300010000000600000000000000', 'hex');
  const profile = (packed: boolean, tail = '') => {
    const text = Buffer.from(`\nexif\n${exif.length}\n${exif.toString('hex')}${tail}`, 'latin1');
    const name = Buffer.from(`Raw profile type exif\0${packed ? '\0' : ''}`, 'latin1');
    return chunk(packed ? 'zTXt' : 'tEXt', Buffer.concat([name, packed ? deflateSync(text) : text]));
  };
  const broken = chunk('zTXt', Buffer.from('Raw profile type exif\0\0nothing packed', 'latin1'));
  const comment = chunk('tEXt', Buffer.from('Comment\0Raw profile type exif', 'latin1'));
  const orientation = async (...behind: Buffer[]) =>
    (await readHeader(blackPng(4, 4, 4, behind), defaultLimits)).orientation;

  it.each([true, false])('are read behind texts of other kinds (packed: %s)', async (packed) => {
    expect(await orientation(...Array<Buffer>(20).fill(comment), profile(packed))).toBe(6);
  });

  it('are tried a few times', async () => {
    expect(await orientation(broken, broken, broken, profile(true))).toBe(6);
    expect(await orientation(broken, broken, broken, broken, profile(true))).toBe(1);
  });

  it.each([true, false])('are read up to a length (packed: %s)', async (packed) => {
    expect(await orientation(profile(packed, '\n'.repeat(1000)))).toBe(6);
    expect(await orientation(profile(packed, '\n'.repeat(2 ** 20)))).toBe(1);
  });
});

describe('parts of a WebP', () => {
  const webp = (parts: number) => {
    const part = Buffer.from('EXIF\0\0\0\0', 'latin1');
    const head = Buffer.from('RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0', 'latin1');
    const file = Buffer.concat([head, ...Array<Buffer>(parts).fill(part)]);
    file.writeUInt32LE(file.length - 8, 4);
    return file;
  };

  it('are hopped over up to a number', async () => {
    const few = webp(1000);
    expect(firstWebpFrame(few)).toBe(few);
    const error = (await rejection(readHeader(webp(150_000), defaultLimits))) as ImageError;
    expect(error).toBeInstanceOf(ImageError);
    expect(error).toMatchObject({
      code: 'corrupt',
      message: expect.stringMatching(/more than 100000 parts/) as string,
    });
  });
});
