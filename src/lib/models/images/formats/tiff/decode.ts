/**
 * TIFF files to RGB pixels. libvips paints black what it cannot read of a tiled file, and says nothing; it clips where it
 * should shift. So strips and tiles are unpacked here, each to its last byte, and what cannot be is an error.
 */
import sharp from 'sharp';
import { corrupt, decodeFailure, tryDecoding, unsupported } from '../../failures.ts';
import type { ImageLimits } from '../../limits.ts';
import type { RgbImage } from '../../pixels.ts';
import { checkRange, hasNoWhite, type SampleRange, samplesToBytes, spreadColour, toRgb, unmultiply } from './colour.ts';
import { coloursOf, type TiffLayout, unpackedBytes } from './layout.ts';
import { readTiffLayout } from './read-layout.ts';
import { unpack } from './unpack.ts';

/** The first picture of the file, as it is stored. Throws an ImageError. */
export async function decodeTiff(bytes: Uint8Array, limits: ImageLimits): Promise<RgbImage> {
  const layout = readTiffLayout(bytes, limits);
  const { width, height, chunkWidth, chunkHeight, across, down } = layout;
  const convert = toRgb(layout);
  const range: SampleRange = { least: Infinity, most: -Infinity };
  const data = new Uint8Array(width * height * 3);
  for (let row = 0; row < down; row++) {
    const top = row * chunkHeight;
    const rows = Math.min(chunkHeight, height - top);
    for (let column = 0; column < across; column++) {
      const chunk = await readChunk(bytes, layout, row * across + column, rows, range);
      const rgb = convert(chunk.data, chunk.samples);
      const left = column * chunkWidth;
      const seen = 3 * Math.min(chunkWidth, width - left);
      for (let y = 0; y < rows; y++) {
        const from = y * chunkWidth * 3;
        data.set(rgb.subarray(from, from + seen), ((top + y) * width + left) * 3);
      }
    }
  }
  if (hasNoWhite(layout)) checkRange(range, layout);
  return { data, width, height };
}

/** The first `rows` rows of a strip or tile, a byte for each sample. */
async function readChunk(
  bytes: Uint8Array,
  layout: TiffLayout,
  index: number,
  rows: number,
  range: SampleRange,
): Promise<ChunkSamples> {
  const { photometric, compression, planar, samples, bits, premultiplied, chunkWidth } = layout;
  const coded = compression === 'jpeg' || compression === 'fax';
  const read = async (plane: number): Promise<ChunkSamples> => {
    const i = plane * layout.across * layout.down + index;
    const packed = bytes.subarray(layout.offsets[i], layout.offsets[i]! + layout.counts[i]!);
    const name = `${layout.tiled ? 'tile' : 'strip'} ${i + 1}`;
    if (coded) return decodeCoded(packed, layout, rows, name);
    return {
      data: await unpack(packed, unpackedBytes(layout, rows), layout, name),
      samples: planar ? 1 : samples,
    };
  };
  const first = await read(0);
  if (!planar && coded) {
    if (premultiplied) unmultiply(first.data, first.samples);
    return first;
  }
  if (!planar && photometric === 'ycbcr') return { data: spreadColour(first.data, layout, rows), samples: 3 };
  if (!planar && bits === 8 && !premultiplied)
    return { data: first.data.subarray(0, chunkWidth * rows * samples), samples };
  const stride = coloursOf[photometric] + (premultiplied ? 1 : 0);
  const out = new Uint8Array(chunkWidth * rows * stride);
  for (let at = 0; at < stride; at++) {
    const source = planar && at > 0 ? await read(at) : first;
    samplesToBytes(source.data, layout, source.samples, planar ? 0 : at, { out, stride, at }, range);
  }
  if (premultiplied) unmultiply(out, stride);
  return { data: out, samples: stride };
}

// Strips and tiles in JPEG and fax compression, which sharp unpacks one at a time.

const COMPRESSION = 259;
const T4_OPTIONS = 292;
const T6_OPTIONS = 293;
const JPEG_TABLES = 347;

interface ChunkSamples {
  data: Uint8Array;
  /** How many a pixel has. */
  samples: number;
}

/** `rows` rows of the strip or tile called `name`. JPEG's own YCbCr comes as RGB, fax as 0 and 1. Throws an ImageError. */
async function decodeCoded(
  packed: Uint8Array,
  layout: TiffLayout,
  rows: number,
  name: string,
): Promise<ChunkSamples> {
  const { chunkWidth, chunkHeight } = layout;
  // A part says its own size, which nothing has been held against; some writers fill the last strip up.
  const limitInputPixels = 2 * chunkWidth * Math.max(rows, chunkHeight) + 2 ** 16;
  const file = layout.compression === 'jpeg' ? wholeJpeg(packed, layout) : faxTiff(packed, layout, rows);
  const samples = layout.planar ? 1 : layout.samples;
  const space = samples === 1 ? 'b-w' : samples === 4 ? 'cmyk' : 'srgb';
  try {
    const { data, info } = await tryDecoding(() => {
      const failOn = layout.compression === 'jpeg' ? 'truncated' : 'error';
      let image = sharp(file, { failOn, ignoreIcc: true, limitInputPixels });
      if (space === 'cmyk') image = image.pipelineColourspace('cmyk');
      return image.toColourspace(space).raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    });
    if (info.width !== chunkWidth || info.height < rows || info.channels !== samples) {
      throw corrupt(
        'tiff',
        `a part of ${info.width}×${info.height} pixels where ${chunkWidth}×${rows} belong`,
      );
    }
    const wanted = data.subarray(0, chunkWidth * rows * samples);
    if (layout.compression === 'fax') return { data: wanted.map((value) => value & 1), samples };
    // libvips takes four samples in a JPEG for ink, and inverted, as Adobe writes it in files of its own, not in TIFF.
    return { data: space === 'cmyk' ? wanted.map((ink) => 255 - ink) : wanted, samples };
  } catch (error) {
    const failure = decodeFailure(error, 'tiff');
    // What libtiff says of a damaged strip, it says of the file made of it.
    throw layout.compression === 'fax' && failure.code === 'corrupt'
      ? corrupt('tiff', `${name} is damaged`, error)
      : failure;
  }
}

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const APP14 = 0xee;

/** A JPEG file of the tables that all parts share, a word about its colours, and the part. */
function wholeJpeg(packed: Uint8Array, layout: TiffLayout): Buffer {
  const { photometric, samples, planar } = layout;
  const known = planar
    ? photometric !== 'ycbcr'
    : samples === 1 || samples === coloursOf[photometric] || (photometric === 'rgb' && samples === 4);
  if (!known) throw unsupported(`TIFF files of ${samples} samples a pixel in JPEG compression`);
  const tables = layout.directory.bytes(JPEG_TABLES);
  // Where nothing says so, readers would guess the colours from the numbers of the components.
  const adobe = Buffer.from('\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0', 'latin1');
  if (photometric === 'ycbcr') adobe[adobe.length - 1] = 1;
  return Buffer.concat([
    Buffer.from([0xff, SOI]),
    ...(samples === 3 && !planar ? [adobe] : []),
    ...(tables === undefined ? [] : segments(tables)),
    ...segments(packed),
  ]);
}

/** All of a JPEG stream but its start and what Adobe says about its colours; without its end where that comes first. */
function segments(jpeg: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  let at = 0;
  while (at + 2 <= jpeg.length && jpeg[at] === 0xff) {
    const marker = jpeg[at + 1]!;
    if (marker === EOI) break;
    if (marker === SOS) {
      found.push(jpeg.subarray(at));
      break;
    }
    const length = marker === SOI || marker === 0xff ? 0 : (jpeg[at + 2]! << 8) | jpeg[at + 3]!;
    const end = at + (marker === 0xff ? 1 : 2 + length);
    if (length > 0 && marker !== APP14) found.push(jpeg.subarray(at, end));
    at = end;
  }
  return found;
}

/** A TIFF file of the one strip, in which 0 is black: what the picture's file says of colours comes later. */
function faxTiff(packed: Uint8Array, { directory, chunkWidth, reversed }: TiffLayout, rows: number): Buffer {
  const tags = [
    [256, chunkWidth],
    [257, rows],
    [258, 1],
    [COMPRESSION, directory.number(COMPRESSION) ?? 1],
    [262, 1],
    [266, reversed ? 2 : 1],
    [273, 0],
    [277, 1],
    [278, rows],
    [279, packed.length],
    [T4_OPTIONS, directory.number(T4_OPTIONS) ?? 0],
    [T6_OPTIONS, directory.number(T6_OPTIONS) ?? 0],
  ] as const;
  const head = Buffer.alloc(8 + 2 + 12 * tags.length + 4);
  head.write('II*\0\b', 'latin1');
  head.writeUInt16LE(tags.length, 8);
  for (const [i, [tag, value]] of tags.entries()) {
    const at = 10 + 12 * i;
    head.writeUInt16LE(tag, at);
    head.writeUInt16LE(4, at + 2);
    head.writeUInt32LE(1, at + 4);
    head.writeUInt32LE(tag === 273 ? head.length : value, at + 8);
  }
  return Buffer.concat([head, packed]);
}
