import { beforeAll, describe, expect, it } from 'vitest';
import { openImagesApart } from '../../../src/lib/models/images/apart.ts';
import { checkImage } from '../../../src/lib/models/images/check.ts';
import { imagenetPreprocessing } from '../../../src/lib/models/images/preprocess.ts';
import { smallPixels } from '../../../src/lib/models/images/small.ts';
import { ensureBuilt } from '../../support/build.ts';
import { asSharp, pattern } from '../../support/images.ts';
import { childrenOf } from '../../support/processes.ts';
import { slowPng, slowTiff } from '../../support/slow-images.ts';
import { thorough } from '../../support/thorough.ts';

beforeAll(ensureBuilt, 120_000);

const limits = { maxBytes: 256e6, maxPixels: 50e6, maxWorkMs: 300 };

describe('images looked at apart', () => {
  it('are what they are in this process', async () => {
    await using looking = openImagesApart(limits);
    const png = await asSharp(pattern(40, 30)).png().toBuffer();
    const gif = await asSharp(pattern(40, 30)).gif().toBuffer();
    for (const bytes of [png, gif])
      expect(await looking.check(bytes)).toEqual(await checkImage(bytes, limits));
    expect(await looking.header(gif)).toEqual({ format: 'gif', contentType: 'image/gif' });
    expect(await looking.header(png)).toMatchObject({ format: 'png', contentType: 'image/png' });
    expect(Buffer.from(await looking.smallPixels(png, 9, 8))).toEqual(
      Buffer.from(await smallPixels(png, 9, 8, limits)),
    );
    const input = await looking.input(png, imagenetPreprocessing, true);
    expect(input).toBeInstanceOf(Float32Array);
    expect(input).toHaveLength(3 * 224 * 224);
    await expect(looking.check(Buffer.from('no image'))).rejects.toMatchObject({
      name: 'ImageError',
      code: 'not_an_image',
    });
  }, 60_000);

  it('are decoded where their structure is not whole, and only there', async () => {
    await using looking = openImagesApart(limits);
    const png = await asSharp(pattern(40, 30)).png().toBuffer();
    const jpeg = await asSharp(pattern(40, 30)).jpeg().toBuffer();
    const before = childrenOf(process.pid).length;
    expect(await looking.structure(png)).toEqual({ format: 'png', contentType: 'image/png' });
    expect(await looking.structure(jpeg)).toEqual({ format: 'jpeg', contentType: 'image/jpeg' });
    await expect(looking.structure(Buffer.from('no image'))).rejects.toMatchObject({ code: 'not_an_image' });
    expect(childrenOf(process.pid)).toHaveLength(before);
    // Its end mark is missing, and no pixel.
    expect(await looking.structure(png.subarray(0, -12))).toMatchObject({ contentType: 'image/png' });
    expect(childrenOf(process.pid)).toHaveLength(before + 1);
    await expect(looking.structure(jpeg.subarray(0, -20))).rejects.toMatchObject({ code: 'truncated' });
    const tiff = await asSharp(pattern(40, 30)).tiff().toBuffer();
    expect(await looking.structure(tiff)).toEqual({ format: 'tiff', contentType: 'image/tiff' });
  }, 60_000);

  it.each(['tiff', 'gif', 'png', 'webp'] as const)(
    'are where headers may take long: %s',
    async (format) => {
      const bytes = await asSharp(pattern(40, 30)).toFormat(format).toBuffer();
      const before = childrenOf(process.pid).length;
      await using looking = openImagesApart(limits);
      expect(await looking.header(bytes)).toEqual({ format, contentType: `image/${format}` });
      expect(childrenOf(process.pid)).toHaveLength(before + 1);
    },
    60_000,
  );

  const endless = [
    ['a tiled TIFF', () => slowTiff(1600)],
    ['a PNG', () => slowPng(120_000_000)],
  ] as const;
  it.each(thorough ? endless : endless.slice(0, 1))(
    'are too slow where their decoding goes on and on: %s',
    async (_, draw) => {
      await using looking = openImagesApart(limits);
      const good = await asSharp(pattern(40, 30)).png().toBuffer();
      const [, checked] = await Promise.all([
        expect(looking.check(await draw())).rejects.toMatchObject({
          name: 'ImageError',
          code: 'too_slow',
          retryable: false,
          message: 'the image takes more than 0.3 s of work',
        }),
        looking.check(good),
      ]);
      expect(checked).toMatchObject({ width: 40, height: 30 });
      expect(await looking.check(good)).toEqual(checked);
    },
    60_000,
  );
});
