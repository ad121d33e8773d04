/** TIFF: what is missing or damaged is refused, what cannot be read is named, what any TIFF may have is no camera's raw. */
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../../src/lib/base/errors.ts';
import { checkImage } from '../../../src/lib/models/images/check.ts';
import { decodeImage } from '../../../src/lib/models/images/decode.ts';
import { decodeCrop } from '../../../src/lib/models/images/prepare.ts';
import { imagenetPreprocessing } from '../../../src/lib/models/images/preprocess.ts';
import { sniffImage } from '../../../src/lib/models/images/sniff.ts';
import { asSharp, pattern, rejection } from '../../support/images.ts';
import { numRuns } from '../../support/thorough.ts';
import { writeTiff, type TiffPicture } from '../../support/tiff.ts';

const image = pattern(64, 48);
const tile = { tile: true, tileWidth: 16, tileHeight: 16 } as const;
const pixels = (data: Uint8Array) => [...data];

/** Everything that reads pictures must refuse the same ones. */
const readers = [
  (bytes: Uint8Array) => decodeImage(bytes),
  (bytes: Uint8Array) => checkImage(bytes),
  (bytes: Uint8Array) => decodeCrop(bytes, imagenetPreprocessing),
];
async function refusal(bytes: Uint8Array): Promise<ImageError> {
  const errors = (await Promise.all(readers.map((read) => rejection(read(bytes))))) as ImageError[];
  for (const error of errors) {
    expect(error).toBeInstanceOf(ImageError);
    expect(error.message).toBe(errors[0]!.message);
  }
  return errors[0]!;
}

/** An RGB picture of 4×2 pixels in one strip. */
const rgb = Uint8Array.from({ length: 24 }, (_, i) => 10 * i);
const small = (tags: Record<number, readonly number[]> = {}, more: Partial<TiffPicture> = {}) =>
  writeTiff({
    tags: { 256: [4], 257: [2], 258: [8, 8, 8], 259: [1], 262: [2], 277: [3], 278: [2], ...tags },
    chunks: [rgb],
    ...more,
  });

describe('damage', () => {
  const compressions = ['none', 'lzw', 'deflate', 'jpeg', 'packbits'] as const;
  const layouts = [
    ['tiles', tile],
    ['strips', {}],
  ] as const;
  const files = compressions.flatMap((compression) =>
    layouts.map(([layout, options]) => ({
      name: `${compression} in ${layout}`,
      make: () =>
        asSharp(image)
          .tiff({ compression, ...options })
          .toBuffer(),
    })),
  );

  it.each(files)('$name: whole', async ({ make }) => {
    await expect(decodeImage(await make())).resolves.toMatchObject({ width: 64, height: 48 });
  });

  it.each(files)('$name: refused when the end of its pixels is missing', async ({ make }) => {
    const bytes = await make();
    const error = await refusal(bytes.subarray(0, Math.floor(bytes.length / 2)));
    expect(error.code).toBe('truncated');
  });

  it.each(files.filter(({ name }) => /lzw|deflate/.test(name)))(
    '$name: refused when its pixels are damaged',
    async ({ make }) => {
      const bytes = await make();
      bytes.fill(0xff, bytes.length / 2, bytes.length / 2 + 400);
      expect((await refusal(bytes)).code).toBe('corrupt');
    },
  );

  it('refuses tiles that lie over one another before it unpacks any', async () => {
    const packed = deflateSync(Buffer.alloc(256, 120));
    const tiles = 64;
    const bomb = writeTiff({
      tags: { 256: [128], 257: [128], 258: [8], 259: [8], 262: [1], 277: [1], 322: [16], 323: [16] },
      chunks: Array.from({ length: tiles }, () => packed),
      offsets: Array.from({ length: tiles }, () => 8),
      tiled: true,
    });
    const error = await refusal(bomb);
    expect(error).toMatchObject({ code: 'corrupt' });
    expect(error.message).toMatch(/lie over one another/);
  });

  it('refuses fewer tiles than the size asks for', async () => {
    const error = await refusal(small({ 257: [4], 278: [2] }));
    expect(error.message).toMatch(/1 of 2 strips/);
  });

  it.each([
    ['no width', { 256: [0] }, 'corrupt'],
    ['more pixels than there are', { 257: [3], 278: [3] }, 'truncated'],
    ['more pixels than any picture', { 256: [60_000], 257: [60_000] }, 'too_many_pixels'],
    ['no rows a strip', { 278: [0] }, 'corrupt'],
  ])('refuses %s', async (_, tags, code) => {
    // Directories come last: the file must end with the pixels to lack some.
    const bytes = small(tags, { offsets: code === 'truncated' ? [4000] : [8] });
    expect((await refusal(bytes)).code).toBe(code);
  });

  const packed = { chunks: [deflateSync(rgb)] };
  it.each([
    ['a width of 5/3', small({ 256: [5, 3] }, { types: { 256: 5 } })],
    ['a width of 5/2', small({ 256: [5, 2] }, { types: { 256: 5 } })],
    ['a height of 3/2', small({ 257: [3, 2] }, { types: { 257: 5 } })],
    ['a height of 0/0', small({ 257: [0, 0] }, { types: { 257: 5 } })],
    ['3/2 rows a strip', small({ 278: [3, 2] }, { types: { 278: 5 } })],
    ['a place before the file', small({}, { types: { 273: 9 }, offsets: [2 ** 32 - 1] })],
    ['a place between two bytes', small({}, { types: { 273: 5 }, offsets: [17, 2] })],
    ['a length of −1', small({ 259: [8], 279: [2 ** 32 - 1] }, { types: { 279: 9 }, ...packed })],
    ['a length of 9/2', small({ 259: [8], 279: [9, 2] }, { types: { 279: 5 }, ...packed })],
  ])('refuses %s', async (_, bytes) => {
    expect((await refusal(bytes)).code).toBe('corrupt');
  });

  it('takes an orientation that is no whole number for none', async () => {
    const image = await decodeImage(small({ 274: [11, 2] }, { types: { 274: 5 } }));
    expect(image).toEqual(await decodeImage(small()));
  });

  it('unpacks no JPEG that is far larger than its strip', async () => {
    const strip = async (height: number, width = 8) => {
      const jpeg = await asSharp(pattern(width, height)).greyscale().jpeg().toBuffer();
      return writeTiff({
        tags: { 256: [8], 257: [8], 258: [8], 259: [7], 262: [1], 277: [1], 278: [8] },
        chunks: [jpeg],
      });
    };
    await expect(decodeImage(await strip(16))).resolves.toMatchObject({ width: 8, height: 8 });
    const error = await refusal(await strip(400, 400));
    expect(error).toMatchObject({ code: 'corrupt', message: expect.stringMatching(/pixel limit/) as string });
  });

  it('whatever the bytes say, the answer is pixels or an ImageError', async () => {
    const whole = await Promise.all(files.map(({ make }) => make()));
    const limits = { maxBytes: 2 ** 20, maxPixels: 10_000 };
    const mutated = fc.record({
      file: fc.constantFrom(...whole),
      changes: fc.array(fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) }), { maxLength: 6 }),
      directory: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(mutated, async ({ file, changes, directory }) => {
        const bytes = Buffer.from(file);
        const start = directory ? bytes.readUInt32LE(4) : 4;
        for (const { at, to } of changes) bytes[start + (at % (bytes.length - start))] = to;
        const outcome = await decodeImage(bytes, { limits }).catch((error: unknown) => error);
        if (outcome instanceof ImageError) return;
        const { data, width, height } = outcome as Awaited<ReturnType<typeof decodeImage>>;
        expect(data.length).toBe(width * height * 3);
      }),
      { numRuns: numRuns(300) },
    );
  });
});

describe('colour', () => {
  it('16-bit CMYK is its high bytes', async () => {
    const inks = [200, 100, 50, 25, 0, 255, 128, 0];
    const wide = Buffer.alloc(16);
    for (const [i, ink] of inks.entries()) wide.writeUInt16LE(ink * 257, 2 * i);
    const cmyk = (bits: number, data: Uint8Array) =>
      writeTiff({
        tags: { 256: [2], 257: [1], 258: [bits, bits, bits, bits], 259: [1], 262: [5], 277: [4], 278: [1] },
        chunks: [data],
      });
    const narrow = await decodeImage(cmyk(8, Uint8Array.from(inks)));
    expect(pixels(narrow.data.subarray(0, 3))).toEqual([50, 140, 185]);
    expect(pixels((await decodeImage(cmyk(16, wide))).data)).toEqual(pixels(narrow.data));
  });

  it.each([
    ['Zstandard', { 259: [50000] }],
    ['old-style JPEG', { 259: [6] }],
    ['compression 4711', { 259: [4711] }],
    ['ICC Lab', { 262: [9] }],
    ['samples of 5 bits', { 258: [5, 5, 5] }],
    ['floating-point samples', { 339: [3], 258: [32, 32, 32] }],
    ['differ in bits', { 258: [8, 8, 16] }],
    ['3 samples a pixel where grey has 1', { 262: [1] }],
  ])('names what it cannot read: %s', async (name, tags) => {
    const error = await refusal(small(tags));
    expect(error.code).toBe('unsupported_format');
    expect(error.message).toContain(name);
  });

  it('a picture of fractions is refused, not shown black', async () => {
    const grey = Buffer.alloc(16);
    for (let i = 0; i < 4; i++) grey.writeFloatLE(i / 4, 4 * i);
    const bytes = writeTiff({
      tags: { 256: [2], 257: [2], 258: [32], 259: [1], 262: [1], 277: [1], 278: [2], 339: [3] },
      chunks: [grey],
    });
    expect((await refusal(bytes)).message).toMatch(/floating-point samples from 0 to 0\.75/);
  });
});

describe('what any TIFF may have', () => {
  it.each([
    ['a first pixel that reads CR', small({}, { chunks: [Buffer.from('CR\x02\0'.repeat(6), 'latin1')] })],
    ['a PrintIM tag', small({ 50341: [0, 1, 2, 3] })],
    ['a maker', small({ 271: [0x4b494e00] })],
    ['resolution unit 0', small({ 296: [0], 282: [300], 283: [300] })],
    ['a smaller copy of itself', small({}, { below: [{ 254: [1], 256: [2], 257: [1], 262: [2] }] })],
    ['its high bytes first', small({}, { littleEndian: false })],
  ])('%s', async (_, bytes) => {
    await expect(sniffImage(bytes)).resolves.toMatchObject({ format: 'tiff' });
    await expect(decodeImage(bytes)).resolves.toMatchObject({ width: 4, height: 2 });
  });
});

describe('camera raw files are told by what defines them', () => {
  const canon = Buffer.concat([Buffer.from('II*\0\x10\0\0\0CR\x02\0', 'latin1'), Buffer.alloc(40)]);
  const mosaic = { 254: [0], 256: [6000], 257: [4000], 259: [34713], 262: [32803] };
  it.each([
    ['Canon raw (CR2)', canon],
    ['raw (DNG)', small({ 50706: [0x01040000] })],
    ['camera raw', small({}, { below: [mosaic] })],
    ['camera raw', small({ 262: [32803] })],
  ])('%s', async (name, bytes) => {
    const error = await refusal(bytes);
    expect(error).toMatchObject({ code: 'unsupported_format' });
    expect(error.message).toBe(`${name} images are not supported`);
  });
});
