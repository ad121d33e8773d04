/** CMYK to RGB without a colour profile, in Pillow's arithmetic. */

/** `data` holds cyan, magenta, yellow, black (and more, ignored, when `channels` > 4) with 255 for full ink. */
export function cmykToRgb(data: Uint8Array, channels: number): Uint8Array {
  const pixels = data.length / channels;
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0, from = 0, to = 0; i < pixels; i++, from += channels, to += 3) {
    const light = 255 - data[from + 3]!;
    for (let c = 0; c < 3; c++) {
      const product = data[from + c]! * light + 128;
      rgb[to + c] = light - (((product >> 8) + product) >> 8);
    }
  }
  return rgb;
}
