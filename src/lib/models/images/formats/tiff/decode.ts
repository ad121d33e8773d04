/**
 * TIFF files to RGB pixels. libvips paints black what it cannot read of a tiled file, and says nothing; it clips where it
 * should shift. So strips and tiles are unpacked here, each to its last byte, and what cannot be is an error.
 */
import type { ImageLimits } from '../../limits.ts';
import type { RgbImage } from '../../pixels.ts';
import { decodeCoded, type ChunkSamples } from './coded.ts';
import {
  checkRange,
  hasNoWhite,
  samplesToBytes,
  spreadColour,
  toRgb,
  unmultiply,
  type SampleRange,
} from './colour.ts';
import { coloursOf, unpackedBytes, type TiffLayout } from './layout.ts';
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
