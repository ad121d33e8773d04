/** Which way up an image is, from wherever cameras and programs write it down. */
import { inflateSync } from 'node:zlib';
import { openTiff, TiffDirectory } from './formats/tiff/directory.ts';

const ORIENTATION = 274;
const maxProfileBytes = 2 ** 20;

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

/** Whether a text chunk of a PNG is one in which ImageMagick and others keep EXIF, by the name that it begins with. */
export function isProfile(text: Uint8Array): boolean {
  const start = Buffer.from(text.subarray(0, 80)).toString('latin1');
  return /^Raw profile type (exif|APP1)\0/i.test(start);
}

/** Of such a chunk: a name, a length, the bytes in hex. */
export function profileOrientation(text: Uint8Array, packed: boolean): number | undefined {
  const end = text.indexOf(0);
  try {
    const body = packed
      ? inflateSync(text.subarray(end + 2), { maxOutputLength: maxProfileBytes })
      : text.subarray(end + 1);
    if (body.length > maxProfileBytes) return undefined;
    const [, , ...hex] = Buffer.from(body).toString('latin1').trim().split('\n');
    return exifOrientation(Buffer.from(hex.join(''), 'hex'));
  } catch {
    return undefined;
  }
}

function valid(orientation: number | undefined): number | undefined {
  return [1, 2, 3, 4, 5, 6, 7, 8].find((one) => one === orientation);
}
