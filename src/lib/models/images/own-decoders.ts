/** The formats that code of our own reads, because the libraries at hand return wrong pixels for some of their files. */
import { decodeBmp, readBmpHeader } from './formats/bmp.ts';
import { decodeGif, readGifHeader } from './formats/gif.ts';
import { decodeTiff } from './formats/tiff/decode.ts';
import { readTiffLayout } from './formats/tiff/read-layout.ts';
import type { ImageLimits } from './limits.ts';
import type { RgbImage } from './pixels.ts';
import type { ImageFormat } from './sniff.ts';

export type OwnFormatName = 'bmp' | 'gif' | 'tiff';

interface OwnFormat {
  /** Throws an ImageError, for all that can be known before pixels are unpacked. */
  header(bytes: Uint8Array, limits: ImageLimits): { width: number; height: number; orientation: number };
  /** The pixels as they are stored, not yet upright. Throws, or rejects with, an ImageError. */
  decode(bytes: Uint8Array, limits: ImageLimits): RgbImage | Promise<RgbImage>;
}

export const ownFormats: Record<OwnFormatName, OwnFormat> = {
  bmp: { header: (bytes) => ({ ...readBmpHeader(bytes), orientation: 1 }), decode: decodeBmp },
  gif: { header: (bytes) => ({ ...readGifHeader(bytes), orientation: 1 }), decode: decodeGif },
  tiff: { header: readTiffLayout, decode: decodeTiff },
};

export function isOwn(format: ImageFormat): format is OwnFormatName {
  return format in ownFormats;
}
