/** Which way up an image is, from wherever cameras and programs write it down. */
import { inflateSync } from 'node:zlib';
import { openTiff, TiffDirectory } from './tiff/directory.ts';

const ORIENTATION = 274;

/** Of an EXIF block, which is built like a TIFF file; undefined where it says nothing that can be understood. */
export function exifOrientation(exif: Uint8Array): number | undefined {
  const name = Buffer.from(exif.subarray(0, 6)).toString('latin1');
  const file = openTiff(name === 'Exif\0\0' ? exif.subarray(6) : exif);
  if (file === undefined) return undefined;
  try {
    return valid(new TiffDirectory(file, file.first).number(ORIENTATION));
  } catch {
    return undefined; // cut short: the pixels are as good as they were
  }
}

export function xmpOrientation(xmp: string): number | undefined {
  const found = /tiff:Orientation(?:="|>)([0-9])/.exec(xmp);
  return valid(found === null ? undefined : Number(found[1]));
}

/** Of the text chunk of a PNG in which ImageMagick and others keep EXIF: a name, a length, the bytes in hex. */
export function profileOrientation(text: Uint8Array, packed: boolean): number | undefined {
  const end = text.indexOf(0);
  const name = Buffer.from(text.subarray(0, Math.max(end, 0))).toString('latin1');
  if (!/^Raw profile type (exif|APP1)$/i.test(name)) return undefined;
  try {
    const body = packed
      ? inflateSync(text.subarray(end + 2), { maxOutputLength: 2 ** 20 })
      : text.subarray(end + 1);
    const [, , ...hex] = Buffer.from(body).toString('latin1').trim().split('\n');
    return exifOrientation(Buffer.from(hex.join(''), 'hex'));
  } catch {
    return undefined;
  }
}

function valid(orientation: number | undefined): number | undefined {
  return orientation !== undefined && orientation >= 1 && orientation <= 8 ? orientation : undefined;
}
