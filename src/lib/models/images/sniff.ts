/** What a file is, told by its content and never by its name. */
import { ImageError } from '../../base/errors.ts';
import { unsupported } from './failures.ts';
import { openTiff, TiffDirectory } from './formats/tiff/directory.ts';

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
/** Part of the reason itself, which is all that lists of rejected files show. */
const convertHeic =
  'convert it to JPEG, with heif-convert a.heic a.jpg, on macOS with sips -s format jpeg a.heic --out a.jpg, ' +
  'or with ImageMagick: magick a.heic a.jpg';
const hints = new Map<string, string>([
  [
    'image/heic',
    'A phone can take JPEGs: on an iPhone Settings > Camera > Formats > "Most Compatible".',
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
  // Most images are. What tells the others apart takes some 60 ms to load.
  if (isJpeg(bytes)) return { format: 'jpeg', contentType: 'image/jpeg' };
  const { fileTypeFromBuffer } = await import('file-type');
  const found = (await fileTypeFromBuffer(bytes))?.mime;
  const format = found === undefined ? undefined : accepted.get(found);
  if (format !== undefined) return { format, contentType: `image/${format}` };
  // As a mouse pointer is called whose header a TGA has.
  if ((found === undefined || found === 'image/x-icon') && isTga(bytes)) throw unsupported('TGA images');
  const mime = looksLikeSvg(bytes) ? 'image/svg+xml' : found;
  if (mime?.startsWith('image/')) {
    const kind = mime.replace(/^image\/(heic|heif)(-sequence)?$/, 'image/heic');
    const hint = hints.get(kind) ?? convert;
    const how = kind === 'image/heic' ? `: ${convertHeic}` : '';
    const name = mime === 'image/x-icon' ? 'icon' : mime.slice('image/'.length);
    throw new ImageError(`${name} images are not supported${how}`, {
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

/** Not JPEG-LS, which begins as JPEG does, but for its fourth byte. */
function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff && bytes[3] !== 0xf7;
}

/** TGA has no signature, but for its end since version 2; else a header without a palette that is nothing else. */
function isTga(bytes: Uint8Array): boolean {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 18) return false;
  if (file.subarray(-18).toString('latin1') === 'TRUEVISION-XFILE.\0') return true;
  const depths = { 2: [16, 24, 32], 3: [8], 10: [16, 24, 32], 11: [8] }[file[2]!];
  const hasNoPalette = file.subarray(3, 8).every((byte) => byte === 0) && file[1] === 0;
  const [width, height] = [file.readUInt16LE(12), file.readUInt16LE(14)];
  return hasNoPalette && width > 0 && height > 0 && depths?.includes(file[16]!) === true && file[17]! < 64;
}

/** SVG is text without a signature, so file-type reports it as XML or not at all. */
function looksLikeSvg(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 1024)).toString('latin1');
  return /^(?:\xef\xbb\xbf)?\s*(?:<[?!][^>]*>\s*)*<svg[\s>]/.test(head);
}

const MAKE = 271;
const PHOTOMETRIC = 262;
const SUB_DIRECTORIES = 330;
const DNG_VERSION = 50706;
/** Photometric interpretations of what a sensor saw: a mosaic of one colour a pixel, and the same put together. */
const sensor = new Set([32803, 34892]);

/** Which camera raw format these bytes are, whose picture in front is a thumbnail only; undefined for an ordinary TIFF, or none at all. */
function rawFormat(bytes: Uint8Array): string | undefined {
  const file = openTiff(bytes);
  if (file === undefined || file.big) return undefined;
  // Canon's header is 16 bytes, with a mark and a version where another file may have pixels.
  const mark = Buffer.from(bytes.subarray(8, 11)).toString('latin1');
  if (file.first === 16 && mark === 'CR\x02') return 'Canon raw (CR2)';
  try {
    const main = new TiffDirectory(file, file.first);
    if (main.has(DNG_VERSION)) return 'raw (DNG)';
    const others = [...(main.numbers(SUB_DIRECTORIES, 8) ?? [])].map((at) => new TiffDirectory(file, at));
    if (![main, ...others].some((directory) => sensor.has(directory.number(PHOTOMETRIC) ?? 0))) {
      return undefined;
    }
    const make = main.text(MAKE).toUpperCase();
    if (make.startsWith('NIKON')) return 'Nikon raw (NEF)';
    if (make.startsWith('SONY')) return 'Sony raw (ARW)';
    return 'camera raw';
  } catch {
    return undefined; // a damaged file says so where it is read as the TIFF that it claims to be
  }
}
