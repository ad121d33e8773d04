/** 8-bit RGB pixels, and how they are turned upright, by the orientation that EXIF and TIFF number from 1 to 8. */


/** Pixels, row by row from the top, three bytes (red, green, blue) each. */
export interface RgbImage {
  data: Uint8Array;
  width: number;
  height: number;
}

const fromRight = [2, 3, 7, 8];
const fromBottom = [3, 4, 6, 7];

/** Whether width and height change places. */
function turnsByQuarter(orientation: number): boolean {
  return orientation >= 5;
}

/** The image itself where it stands upright already. */
export function orient(image: RgbImage, orientation: number): RgbImage {
  if (orientation === 1) return image;
  const { width, height, data } = image;
  const quarter = turnsByQuarter(orientation);
  const size = quarter ? { width: height, height: width } : { width, height };
  const [right, bottom] = [fromRight.includes(orientation), fromBottom.includes(orientation)];
  const out = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++, to += 3) {
      const column = quarter ? y : x;
      const row = quarter ? x : y;
      const from = 3 * ((bottom ? height - 1 - row : row) * width + (right ? width - 1 - column : column));
      out[to] = data[from]!;
      out[to + 1] = data[from + 1]!;
      out[to + 2] = data[from + 2]!;
    }
  }
  return { data: out, ...size };
}
