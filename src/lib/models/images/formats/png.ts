/** What libpng does not tell of a PNG file: parts cut off, descriptions that are damaged, EXIF behind the pixels. */
import { crc32 } from 'node:zlib';
import { corrupt, truncated } from '../failures.ts';
import { exifOrientation, isProfile, profileOrientation } from '../orientation.ts';

const SIGNATURE = 8;
/** Length, name and checksum of a chunk. */
const FRAME = 12;
/** Texts that hold EXIF; writers make one. */
const maxProfiles = 4;

/** Hops from chunk to chunk; pixels are not looked at. Throws an ImageError. */
export function inspectPng(bytes: Uint8Array): { orientation: number | undefined } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let orientation: number | undefined;
  let pixels = false;
  let profiles = 0;
  for (let at = SIGNATURE; at + FRAME <= bytes.length;) {
    const length = view.getUint32(at);
    const name = Buffer.from(bytes.subarray(at + 4, at + 8)).toString('latin1');
    const end = at + FRAME + length;
    if (name === 'IEND') break;
    if (end > bytes.length) {
      if (pixels && name !== 'IDAT') break; // what is missing is no pixel
      throw truncated('png');
    }
    pixels ||= name === 'IDAT';
    if (!pixels && crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4)) {
      throw corrupt('png', `its ${JSON.stringify(name)} part is damaged`);
    }
    const data = bytes.subarray(at + 8, end - 4);
    if (name === 'eXIf') orientation = exifOrientation(data) ?? orientation;
    if ((name === 'tEXt' || name === 'zTXt') && isProfile(data) && profiles++ < maxProfiles) {
      orientation ??= profileOrientation(data, name === 'zTXt');
    }
    at = end;
  }
  return { orientation };
}
