/** The cheap check of `upload`: what decodes has the structure of its format, and what was cut off has not. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../../src/lib/base/errors.ts';
import { checkImage } from '../../../src/lib/models/images/check.ts';
import { defaultLimits } from '../../../src/lib/models/images/limits.ts';
import { type ImageFormat, sniffImage } from '../../../src/lib/models/images/sniff.ts';
import { checkStructure } from '../../../src/lib/models/images/structure.ts';
import { asSharp, pattern } from '../../support/images.ts';
import { describeWith, testData } from '../../support/servers.ts';
import { numRuns } from '../../support/thorough.ts';

const formats = ['jpeg', 'png', 'webp', 'gif', 'tiff'] as const;
const whole = new Map(
  await Promise.all(
    formats.map(async (format) => {
      const image = asSharp(pattern(40, 30));
      const bytes = await (
        format === 'tiff' ? image.tiff({ compression: 'lzw' }) : image.toFormat(format)
      ).toBuffer();
      return [format, bytes] as const;
    }),
  ),
);
const check = (bytes: Uint8Array, format: ImageFormat, limits = defaultLimits) => {
  try {
    return void checkStructure(bytes, format, limits);
  } catch (error) {
    return error;
  }
};

describe.each(formats)('the structure of a %s', (format) => {
  const bytes = whole.get(format)!;

  it('is held against the limits', () => {
    expect(check(bytes, format)).toBeUndefined();
    const { length } = bytes;
    expect(check(bytes, format, { ...defaultLimits, maxBytes: length })).toBeUndefined();
    expect(check(bytes, format, { ...defaultLimits, maxBytes: length - 1 })).toMatchObject({
      code: 'too_large',
    });
    expect(check(bytes, format, { ...defaultLimits, maxPixels: 1199 })).toMatchObject({
      code: 'too_many_pixels',
    });
  });

  it('shows wherever the file is cut off', () => {
    const unseen = Array.from({ length: bytes.length }, (_, length) => length).filter(
      (length) => check(bytes.subarray(0, length), format) === undefined,
    );
    // No pixel needs what stands at the end: a GIF's end mark; the last four bytes of a TIFF's directory.
    const needless = { jpeg: 0, png: 0, webp: 0, gif: 1, tiff: 4 }[format];
    expect(unseen.filter((length) => length < bytes.length - needless)).toEqual([]);
  });

  it('ends in nothing but an ImageError, whatever the bytes', () => {
    const changes = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 })), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(changes, fc.uint8Array({ maxLength: 64 }), fc.nat(bytes.length), (changed, more, cut) => {
        const other = Buffer.concat([bytes.subarray(0, cut), more, bytes.subarray(cut)]);
        for (const [at, value] of changed) other[at] = value;
        const error = check(other, format);
        if (error !== undefined) expect(error).toBeInstanceOf(ImageError);
      }),
      { numRuns: numRuns(2000) },
    );
  });
});

describe('a file built to take long', () => {
  const mebibytes = 8;
  const filled = (start: Buffer, part: Buffer) =>
    Buffer.concat([start, Buffer.alloc(mebibytes * 2 ** 20, part)]);
  const emptyText = Buffer.from('00000000744558749642c585', 'hex');
  const riff = Buffer.from('RIFF\x00\x00\x00\x02WEBP', 'latin1');
  it.each([
    ['jpeg', 'marker bytes', filled(Buffer.from('ffd8', 'hex'), Buffer.from('ff', 'hex'))],
    ['jpeg', 'smallest parts', filled(Buffer.from('ffd8', 'hex'), Buffer.from('fffe0002', 'hex'))],
    ['jpeg', 'restarts', filled(Buffer.from('ffd8', 'hex'), Buffer.from('ffd0', 'hex'))],
    ['png', 'empty parts', filled(whole.get('png')!.subarray(0, 33), emptyText)],
    ['webp', 'empty parts', filled(riff, Buffer.from('XMP \0\0\0\0', 'latin1'))],
    ['gif', 'padding', filled(whole.get('gif')!.subarray(0, 13), Buffer.alloc(1))],
    [
      'gif',
      'smallest blocks',
      filled(Buffer.from('474946383961010001000000002c000000000100010000', 'hex'), Buffer.alloc(1, 1)),
    ],
  ] as const)('does not: a %s of %s', (format, _, bytes) => {
    const before = process.cpuUsage().user;
    expect(check(bytes, format)).toBeInstanceOf(ImageError);
    // In microseconds; what grew with the square would take days.
    expect(process.cpuUsage().user - before).toBeLessThan(2e6);
  });
});

describeWith('test data', 'photographs', (root) => {
  it('all have the structure of their formats', async () => {
    const { photographs, grocery } = testData(root);
    for (const directory of [photographs, grocery]) {
      const names = await readdir(directory, { recursive: true });
      const images = names.filter((name) => /\.(jpe?g|png)$/i.test(name));
      expect(images.length).toBeGreaterThan(100);
      for (const name of images) {
        const bytes = await readFile(join(directory, name));
        const { format } = await sniffImage(bytes);
        const error = check(bytes, format);
        // What its structure tells against, decoding refuses.
        if (error !== undefined) await expect(checkImage(bytes), name).rejects.toBeInstanceOf(ImageError);
      }
    }
  }, 120_000);
});
