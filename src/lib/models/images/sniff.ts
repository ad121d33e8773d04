/** What a file is, told by its content and never by its name. */
import { fileTypeFromBuffer } from 'file-type';
import { ImageError } from '../../base/errors.ts';
import { unsupported } from './failures.ts';
import { openTiff } from './formats/tiff/directory.ts';
import { rawFormat } from './formats/tiff/raw.ts';

export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'bmp';

export interface SniffedImage {
  format: ImageFormat;
  contentType: string;
}

const accepted = new Map<string, ImageFormat>([
  ['image/jpeg', 'jpeg'],
  ['image/png', 'png'],
  ['image/apng', 'png'], // its first frame
  ['image/webp', 'webp'],
  ['image/gif', 'gif'],
  ['image/tiff', 'tiff'],
  ['image/bmp', 'bmp'],
]);

const convert = 'Convert it to JPEG or PNG.';
const hints = new Map<string, string>([
  [
    'image/heic',
    'Convert it to JPEG, or let the phone take JPEGs: on an iPhone Settings > Camera > Formats > "Most Compatible".',
  ],
  ['image/avif', 'Convert it to JPEG, PNG or WebP.'],
  ['image/svg+xml', 'A drawing has no pixels: export it as PNG.'],
]);

/**
 * The format of an image file. Throws an ImageError: `empty`, `unsupported_format` (an image, but not one of the six) or
 * `not_an_image`.
 */
export async function sniffImage(bytes: Uint8Array): Promise<SniffedImage> {
  if (bytes.length === 0) {
    throw new ImageError('the file is empty', { code: 'empty', hint: 'Was its upload or copy interrupted?' });
  }
  // Guesses at raw formats, by tags and pixels that any TIFF may have, would refuse good pictures.
  if (openTiff(bytes) !== undefined) {
    const raw = rawFormat(bytes);
    if (raw !== undefined) throw unsupported(`${raw} images`);
    return { format: 'tiff', contentType: 'image/tiff' };
  }
  const found = (await fileTypeFromBuffer(bytes))?.mime;
  const format = found === undefined ? undefined : accepted.get(found);
  if (format !== undefined) return { format, contentType: `image/${format}` };
  const mime = looksLikeSvg(bytes) ? 'image/svg+xml' : found;
  if (mime?.startsWith('image/')) {
    const hint = hints.get(mime.replace(/^image\/(heic|heif)(-sequence)?$/, 'image/heic')) ?? convert;
    throw new ImageError(`${mime.slice('image/'.length)} images are not supported`, {
      code: 'unsupported_format',
      hint: `${hint} Supported: JPEG, PNG, WebP, GIF, TIFF, BMP.`,
    });
  }
  throw new ImageError(
    mime === undefined ? 'the content is not an image' : `the content is ${mime}, not an image`,
    {
      code: 'not_an_image',
      hint: 'The content decides, not the name. Supported: JPEG, PNG, WebP, GIF, TIFF, BMP.',
    },
  );
}

/** SVG is text without a signature, so file-type reports it as XML or not at all. */
function looksLikeSvg(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 1024)).toString('latin1');
  return /^(?:\xef\xbb\xbf)?\s*(?:<[?!][^>]*>\s*)*<svg[\s>]/.test(head);
}
