/** BMP, which the image library does not read: every variant against Pillow, and no file that breaks the decoder. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../../src/lib/base/errors.ts';
import { decodeImage } from '../../../src/lib/models/images/decode.ts';
import { decodeBmp } from '../../../src/lib/models/images/formats/bmp.ts';
import { rejection, shortDigest } from '../../support/images.ts';
import { numRuns } from '../../support/thorough.ts';
import { bmpFiles } from './bmp-files.ts';

const file = (title: string) => Buffer.from(bmpFiles.find((bmp) => bmp.title === title)!.base64, 'base64');

describe('as Pillow reads it', () => {
  it.each(bmpFiles)('$title', async ({ base64, rgb }) => {
    const { data, width, height } = await decodeImage(Buffer.from(base64, 'base64'));
    expect([width, height]).toEqual([7, 5]);
    expect(shortDigest(data)).toBe(rgb);
  });
});

describe('refused', () => {
  it.each(bmpFiles)('$title, cut in its pixels', async ({ base64 }) => {
    const bytes = Buffer.from(base64, 'base64');
    await expect(decodeImage(bytes.subarray(0, bytes.length - 12))).rejects.toMatchObject({
      code: 'truncated',
    });
  });

  it('cut in its header', async () => {
    await expect(decodeImage(file('24 bits').subarray(0, 40))).rejects.toMatchObject({ code: 'truncated' });
  });

  it('announcing more pixels than the limit, before they are allocated', async () => {
    const bytes = file('RLE8, runs');
    bytes.writeInt32LE(60_000, 18);
    bytes.writeInt32LE(60_000, 22);
    const before = process.memoryUsage().rss;
    await expect(decodeImage(bytes)).rejects.toMatchObject({ code: 'too_many_pixels' });
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 2 ** 20);
  });

  it.each([
    ['no width', 18, 0, 'corrupt'],
    ['a JPEG inside', 30, 4, 'unsupported_format'],
    ['a header of no known size', 14, 41, 'corrupt'],
  ])('%s', async (_, at, value, code) => {
    const bytes = file('24 bits');
    bytes.writeInt32LE(value, at);
    await expect(decodeImage(bytes)).rejects.toMatchObject({ code });
  });
});

it('whatever the bytes say, the answer is pixels or an ImageError', async () => {
  const limits = { maxBytes: 2 ** 20, maxPixels: 10_000 };
  const mutated = fc.record({
    bmp: fc.constantFrom(...bmpFiles),
    changes: fc.array(fc.record({ at: fc.nat(200), to: fc.integer({ min: 0, max: 255 }) }), { maxLength: 6 }),
    keep: fc.double({ min: 0.3, max: 1, noNaN: true }),
  });
  await fc.assert(
    fc.asyncProperty(mutated, async ({ bmp, changes, keep }) => {
      const whole = Buffer.from(bmp.base64, 'base64');
      for (const { at, to } of changes) if (at >= 2 && at < whole.length) whole[at] = to;
      const bytes = whole.subarray(0, Math.ceil(whole.length * keep));
      const outcome = await decodeImage(bytes, { limits }).catch((error: unknown) => error);
      if (outcome instanceof ImageError) return;
      const { data, width, height } = outcome as Awaited<ReturnType<typeof decodeImage>>;
      expect(data.length).toBe(width * height * 3);
    }),
    { numRuns: numRuns(1000) },
  );
});

it('says why in the words of an ImageError', async () => {
  const error = await rejection((async () => decodeBmp(await Promise.resolve(Buffer.from('BM'))))());
  expect(error).toBeInstanceOf(ImageError);
});
