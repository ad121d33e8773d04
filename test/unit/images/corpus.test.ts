/** Small files of every form that a picture may have, whole and damaged, against what Pillow makes of each of them. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../../src/lib/base/errors.ts';
import { checkImage } from '../../../src/lib/models/images/check.ts';
import { decodeImage } from '../../../src/lib/models/images/decode.ts';
import { defaultLimits } from '../../../src/lib/models/images/limits.ts';
import type { RgbImage } from '../../../src/lib/models/images/pixels.ts';
import { decodeCrop } from '../../../src/lib/models/images/prepare.ts';
import { sniffImage } from '../../../src/lib/models/images/sniff.ts';
import { checkStructure } from '../../../src/lib/models/images/structure.ts';

interface Pixels {
  width: number;
  height: number;
  /** Start of the SHA-256 of the pixels. */
  sha: string;
  /** Of red, green and blue in 4×4 fields, row by row. */
  means: number[];
}
type Verdict = Pixels | { refused: string };
interface Picture {
  name: string;
  file?: string;
  of?: string;
  change?: ['cut', number] | ['fill', number, number, number];
  /** Pillow's. */
  expected: Verdict;
  /** Ours, where it is another one by intent. */
  meant?: Verdict;
}

/** Written by make-pictures.py, beside it. */
const packed = new URL('../../fixtures/pictures.jsonl.gz', import.meta.url);
const pictures = gunzipSync(readFileSync(packed))
  .toString()
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Picture);
const files = new Map(pictures.map(({ name, file }) => [name, Buffer.from(file ?? '', 'base64')]));

/** Where we mean to differ from Pillow, and why. Pixels to expect are in the file as `meant`. */
const deviations: readonly (readonly [RegExp, 'meant' | 'refused' | 'read', string])[] = [
  [
    /^(tiff grey1[26]|png grey 16)/,
    'meant',
    'grey of 12 and 16 bits keeps its upper 8; Pillow clips it to white',
  ],
  [/^tiff white16/, 'meant', 'the same, and inverted, as the file says; Pillow does not invert it'],
  [/^tiff palette-of-8-bits/, 'meant', 'colours of old writers; Pillow shows black'],
  [/^tiff (rgb16|cmyk16), planes$/, 'meant', 'Pillow takes every byte for a sample'],
  [/^tiff lab8, planes/, 'meant', 'Pillow forgets the sign of a and b'],
  [/^tiff float32, predictor 3, high bytes first/, 'meant', 'Pillow swaps the bytes twice'],
  [/^tiff (rgbx8, planes|palette2, low bits first|rgb8, big, high)/, 'meant', 'Pillow knows no such form'],
  [/^tiff ycbcr, 2 by 2, raw/, 'meant', 'Pillow expects three samples for each pixel'],
  [
    /^bmp (\d+, 32 bits, masks 10 bits|40, 32 bits, masks abgr|\d+, 16 bits, masks 444)/,
    'meant',
    'masks unknown to Pillow',
  ],
  [/^bmp 16, 24 bits/, 'meant', 'a short OS/2 header, unknown to Pillow'],
  [/^tiff (fractions|int32-beyond)/, 'refused', 'no agreed white: Pillow shows black, or white'],
  [/^tiff jpeg, grey and alpha/, 'refused', 'JPEG of two samples a pixel, which libvips cannot read'],
  [
    /^tiff rgb8, raw, (strips|tiles), 12 bytes less/,
    'refused',
    'its directory is cut; Pillow goes without the last tag',
  ],
  [/^tiff (zstd|lzma)$/, 'refused', 'compressions that are not built in'],
  [/^tiff overlapping strips/, 'refused', 'a header may not ask for more work than its bytes pay for'],
  [/^bmp rle8, 4 bits/, 'refused', 'no BMP has it'],
  [/^png palette 8, none/, 'refused', 'the palette is missing; Pillow shows black'],
  [/^png unknown critical chunk/, 'refused', 'PNG says that who does not know it cannot show the picture'],
  [/^png too few rows/, 'refused', 'rows are missing; Pillow shows black'],
  [/^png rgba 8, zeros from the middle/, 'refused', 'pixels are missing'],
  [/^jpeg cmyk, a hole/, 'read', 'libjpeg conceals it, as Pillow lets it in RGB'],
];

/** Where decoders round otherwise: conversions by floating-point numbers. */
const rounded = /^tiff lab8/;

const preprocessing = { resize: 16, crop: 12, mean: [0, 0, 0], std: [1, 1, 1] } as const;
/** What decodes although its structure is not what its format asks for: `upload` decodes it, to see. */
const oddlyBuilt = /^png (no end|wrong sum of pixels)$/;
/** What was cut off, but not so that its structure tells: packed pixels that no length is given for, and other files inside. */
const cutUnseen = /^(bmp rle|tiff jpeg, rgb)/;

async function structure(bytes: Uint8Array): Promise<unknown> {
  const { format } = await sniffImage(bytes);
  return checkStructure(bytes, format, defaultLimits);
}

const outcome = (reading: Promise<unknown>) => reading.catch((error: unknown) => error);

function bytesOf({ name, of, change }: Picture): Buffer {
  if (change === undefined) return files.get(name)!;
  const whole = files.get(of!)!;
  if (change[0] === 'cut') return whole.subarray(0, change[1]);
  const [, start, length, value] = change;
  return Buffer.from(whole).fill(value, start, start + length);
}

function digest({ data, width, height }: RgbImage): Pixels {
  const means: number[] = [];
  const edge = (size: number, part: number) => Math.floor((size * part) / 4);
  for (let field = 0; field < 16; field++) {
    const sums = [0, 0, 0];
    let count = 0;
    for (let y = edge(height, field >> 2); y < edge(height, (field >> 2) + 1); y++) {
      for (let x = edge(width, field & 3); x < edge(width, (field & 3) + 1); x++, count++) {
        for (let c = 0; c < 3; c++) sums[c]! += data[(y * width + x) * 3 + c]!;
      }
    }
    means.push(...sums.map((sum) => Math.round(sum / count)));
  }
  const sha = createHash('sha256').update(data).digest('hex').slice(0, 16);
  return { width, height, sha, means };
}

function expectPixels(name: string, found: Pixels, wanted: Pixels): void {
  if (found.sha === wanted.sha) return;
  const near = found.means.every((mean, i) => Math.abs(mean - wanted.means[i]!) <= 1);
  const sized = found.width === wanted.width && found.height === wanted.height;
  // Else the means say best what went wrong.
  if (!rounded.test(name) || !near || !sized) expect(found).toEqual(wanted);
}

describe.each(['tiff', 'bmp', 'png', 'gif', 'webp', 'jpeg'])('%s', (format) => {
  const group = pictures.filter(({ name }) => name.startsWith(`${format} `));
  it.each(group.map((picture) => [picture.name, picture] as const))('%s', async (name, picture) => {
    const bytes = bytesOf(picture);
    const image = await outcome(decodeImage(bytes));
    // Whatever else reads pictures refuses the same ones, with the same words.
    const others = [await outcome(checkImage(bytes)), await outcome(decodeCrop(bytes, preprocessing))];
    for (const other of others) {
      expect(other instanceof Error ? other.message : 'read').toBe(
        image instanceof Error ? image.message : 'read',
      );
    }
    // `upload` puts whatever is built as it should be: not a good picture less, not one that was cut off.
    const built = await outcome(structure(bytes));
    if (!(image instanceof Error) && picture.change === undefined && !oddlyBuilt.test(name)) {
      expect(built).toBeUndefined();
    }
    if (image instanceof Error && picture.change?.[0] === 'cut' && !cutUnseen.test(name)) {
      expect(built).toBeInstanceOf(ImageError);
    }
    const deviation = deviations.find(([names]) => names.test(name));
    const wanted = deviation?.[1] === 'meant' ? picture.meant! : picture.expected;
    if (deviation?.[1] === 'refused' || (deviation?.[1] !== 'read' && 'refused' in wanted)) {
      expect(image).toBeInstanceOf(ImageError);
      expect((image as ImageError).message).not.toMatch(/unknown|undefined|NaN/i);
      return;
    }
    if (image instanceof Error) throw image;
    if (!('refused' in wanted)) expectPixels(name, digest(image as RgbImage), wanted);
  });
});

it('lists no deviation that is none', () => {
  for (const [names, kind, why] of deviations) {
    const named = pictures.filter(({ name }) => names.test(name));
    expect(named, why).not.toHaveLength(0);
    for (const { expected, meant } of named) {
      if (kind === 'meant') expect(meant, why).not.toEqual(expected);
      else expect('refused' in expected, why).toBe(kind === 'read');
    }
  }
});
