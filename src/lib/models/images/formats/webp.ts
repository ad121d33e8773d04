/** The first frame of an animated WebP as a file of its own: libwebp's time grows with the square of the frames. */
import { corrupt, truncated } from '../failures.ts';

const RIFF = 12;
const CHUNK = 8;
/** Parts that are looked at: more than any animation has. What is described behind them is not seen. */
const maxChunks = 100_000;
const kept = ['VP8X', 'ICCP', 'ANIM', 'EXIF', 'XMP '];

/** The bytes themselves where there are not several frames. Throws an ImageError where an animation was cut off. */
export function firstWebpFrame(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const name = (at: number) => Buffer.from(bytes.subarray(at, at + 4)).toString('latin1');
  if (bytes.length < RIFF + CHUNK || name(RIFF) !== 'VP8X') return bytes;
  const end = view.getUint32(4, true) + CHUNK;
  const parts: Uint8Array[] = [];
  let frames = 0;
  let chunks = 0;
  for (let at = RIFF; at + CHUNK <= Math.min(end, bytes.length);) {
    if (++chunks > maxChunks) {
      if (frames === 0) throw corrupt('webp', `it has more than ${maxChunks} parts before its first frame`);
      break;
    }
    const length = view.getUint32(at + 4, true);
    const next = at + CHUNK + length + (length & 1);
    const frame = name(at) === 'ANMF';
    if ((frame && frames++ === 0) || kept.includes(name(at))) parts.push(bytes.subarray(at, next));
    at = next;
  }
  if (frames < 2) return bytes;
  if (end > bytes.length) throw truncated('webp');
  const file = Buffer.concat([bytes.subarray(0, RIFF), ...parts]);
  file.writeUInt32LE(file.length - CHUNK, 4);
  return file;
}
