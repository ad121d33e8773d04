/** Run-length encoded BMP pixels (RLE8, RLE4) to palette indices, top row first. */
import { truncated } from '../failures.ts';

export interface RleImage {
  width: number;
  height: number;
  topDown: boolean;
  bitsPerPixel: number;
  offset: number;
}

const END_OF_LINE = 0;
const END_OF_BITMAP = 1;
const DELTA = 2;

/**
 * Pixels that the file skips by a delta are index 0, and so is the rest of a line; pixels beyond a line or the image are
 * dropped. Lines that the file ends without, or passes over, are missing. Throws `truncated`.
 */
export function decodeBmpRle(bytes: Uint8Array, image: RleImage): Uint8Array {
  const { width, height, topDown } = image;
  const nibbles = image.bitsPerPixel === 4;
  const indices = new Uint8Array(width * height);
  let at = image.offset;
  let x = 0;
  let line = 0;
  const next = () => {
    const byte = bytes[at++];
    if (byte === undefined) throw truncated('bmp');
    return byte;
  };
  const put = (index: number) => {
    if (x < width) indices[(topDown ? line : height - 1 - line) * width + x] = index;
    x++;
  };
  const complete = () => line >= height || (line === height - 1 && x >= width);
  while (!complete()) {
    const count = next();
    const value = next();
    if (count > 0) {
      for (let i = 0; i < count; i++) put(nibbles ? nibble(value, i) : value);
    } else if (value === END_OF_LINE) {
      if (x === 0) throw truncated('bmp');
      x = 0;
      line++;
    } else if (value === END_OF_BITMAP) {
      throw truncated('bmp');
    } else if (value === DELTA) {
      x += next();
      line += next();
    } else {
      let byte = 0;
      for (let i = 0; i < value; i++) {
        if (!nibbles || i % 2 === 0) byte = next();
        put(nibbles ? nibble(byte, i) : byte);
      }
      const read = nibbles ? (value + 1) >> 1 : value;
      at += read % 2; // literal runs are padded to two bytes
    }
  }
  return indices;
}

function nibble(byte: number, i: number): number {
  return i % 2 === 0 ? byte >> 4 : byte & 15;
}
