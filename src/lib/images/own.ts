/** The formats that code of our own reads, because the libraries at hand return wrong pixels for some of their files. */
import { decodeBmp, readBmpHeader } from './bmp.ts';
import type { RgbImage } from './decode.ts';
import { decodeGif, readGifHeader } from './gif.ts';
import type { ImageLimits } from './limits.ts';
import type { ImageFormat } from './sniff.ts';
import { decodeTiff } from './tiff/decode.ts';
import { readTiffLayout } from './tiff/layout.ts';

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
