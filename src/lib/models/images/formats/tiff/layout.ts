/** Where a TIFF file keeps its pixels and what they mean. */
import type { TiffDirectory } from './directory.ts';

export type Photometric = 'white' | 'black' | 'rgb' | 'palette' | 'cmyk' | 'ycbcr' | 'lab';
export type Compression = 'none' | 'fax' | 'lzw' | 'jpeg' | 'deflate' | 'packbits';
export type SampleFormat = 'uint' | 'int' | 'float';

export interface TiffLayout {
  width: number;
  height: number;
  /** As EXIF counts, 1 to 8. */
  orientation: number;
  littleEndian: boolean;
  compression: Compression;
  photometric: Photometric;
  /** Bits a sample. */
  bits: number;
  format: SampleFormat;
  /** Samples a pixel, those beyond colour included. */
  samples: number;
  /** Whether the colours have been multiplied with the sample that follows them. */
  premultiplied: boolean;
  /** Each sample in strips or tiles of its own. */
  planar: boolean;
  predictor: number;
  /** Bits of a byte come lowest first. */
  reversed: boolean;
  tiled: boolean;
  /** Pixels of a strip or tile; the last strip has fewer rows. */
  chunkWidth: number;
  chunkHeight: number;
  across: number;
  down: number;
  /** Of every strip or tile, row by row, plane after plane. */
  offsets: Float64Array;
  counts: Float64Array;
  /** Horizontal and vertical pixels of a colour sample (YCbCr). */
  subsampling: readonly [number, number];
  directory: TiffDirectory;
}
/** Samples a pixel that make its colour. */
export const coloursOf: Record<Photometric, number> = {
  white: 1,
  black: 1,
  rgb: 3,
  palette: 1,
  cmyk: 4,
  ycbcr: 3,
  lab: 3,
};

/** Unpacked bytes of `rows` rows of a strip or tile (of one plane, where planes lie apart). */
export function unpackedBytes(
  layout: Pick<
    TiffLayout,
    'photometric' | 'compression' | 'planar' | 'chunkWidth' | 'samples' | 'bits' | 'subsampling'
  >,
  rows: number,
): number {
  const { planar, chunkWidth, samples, bits } = layout;
  const [wide, high] = layout.subsampling;
  if (layout.photometric === 'ycbcr' && !planar && layout.compression !== 'jpeg') {
    return Math.ceil(chunkWidth / wide) * Math.ceil(rows / high) * (wide * high + samples - 1);
  }
  return rows * Math.ceil((chunkWidth * (planar ? 1 : samples) * bits) / 8);
}
