/** The bytes of one strip or tile, unpacked and with the predictor undone: all that its header promises, or an error. */
import { createInflate, inflateSync, constants } from 'node:zlib';
import { corrupt, unsupported } from '../../failures.ts';
import { unpackLzw } from '../lzw.ts';
import type { TiffLayout } from './layout.ts';

const lzwForm = { literalBits: 8, highBitsFirst: true, early: 1 } as const;

/** `length` bytes. `name` is that of the strip or tile. Throws an ImageError; nothing beyond `length` is unpacked. */
export async function unpack(
  packed: Uint8Array,
  length: number,
  layout: TiffLayout,
  name: string,
): Promise<Uint8Array> {
  const source = layout.reversed ? packed.map(reverseBits) : packed;
  switch (layout.compression) {
    case 'lzw':
      return unpredict(lzw(source, length, name), layout);
    case 'deflate':
      return unpredict(await inflate(source, length, name), layout);
    case 'packbits':
      return packBits(source, length, name);
    case 'none':
    case 'jpeg': // `decodeCoded` reads these two
    case 'fax':
      return source.subarray(0, length);
  }
}

function reverseBits(byte: number): number {
  let reversed = 0;
  for (let i = 0; i < 8; i++) reversed |= ((byte >> i) & 1) << (7 - i);
  return reversed;
}

function tooShort(name: string, cause?: unknown) {
  return corrupt('tiff', `${name} ends before its pixels do`, cause);
}

function lzw(source: Uint8Array, length: number, name: string): Uint8Array {
  // Before 1989 codes were the other way round; they begin with "clear" like all others.
  if (source[0] === 0 && (source[1]! & 1) === 1) throw unsupported('TIFF files with old-style LZW');
  const out = new Uint8Array(length);
  const outcome = unpackLzw(source, out, lzwForm);
  if (outcome === 'short') throw tooShort(name);
  if (outcome === 'broken') throw corrupt('tiff', `${name} is damaged`);
  return out;
}

async function inflate(source: Uint8Array, length: number, name: string): Promise<Uint8Array> {
  try {
    // An end that is missing behind the last pixel harms nobody.
    const out = inflateSync(source, { maxOutputLength: length, finishFlush: constants.Z_SYNC_FLUSH });
    if (out.length < length) throw tooShort(name);
    return out;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      return inflateStart(source, length, name);
    }
    if (!(error instanceof Error && 'errno' in error)) throw error;
    throw corrupt('tiff', `${name} is damaged`, error);
  }
}

/** Where more is packed than the header says, as in a last strip that was filled up. */
async function inflateStart(source: Uint8Array, length: number, name: string): Promise<Uint8Array> {
  const out = new Uint8Array(length);
  let at = 0;
  const stream = createInflate();
  stream.end(source);
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      const wanted = chunk.subarray(0, length - at);
      out.set(wanted, at);
      at += wanted.length;
      if (at === length) break;
    }
  } catch (error) {
    throw corrupt('tiff', `${name} is damaged`, error);
  }
  return out;
}

function packBits(source: Uint8Array, length: number, name: string): Uint8Array {
  const out = new Uint8Array(length);
  let to = 0;
  for (let at = 0; to < length;) {
    const head = source[at++];
    if (head === undefined) throw tooShort(name);
    if (head === 128) continue;
    if (head < 128) {
      const run = source.subarray(at, at + Math.min(head + 1, length - to));
      if (run.length < Math.min(head + 1, length - to)) throw tooShort(name);
      out.set(run, to);
      to += run.length;
      at += head + 1;
    } else {
      const byte = source[at++];
      if (byte === undefined) throw tooShort(name);
      const stop = Math.min(to + 257 - head, length);
      out.fill(byte, to, stop);
      to = stop;
    }
  }
  return out;
}

/** Each sample was stored as its difference to the one before it in the row. */
function unpredict(data: Uint8Array, layout: TiffLayout): Uint8Array {
  const { predictor, bits, chunkWidth, littleEndian } = layout;
  if (predictor === 1) return data;
  const step = layout.planar ? 1 : layout.samples;
  const known = predictor === 2 ? [8, 16, 32] : layout.format === 'float' && predictor === 3 ? [32] : [];
  if (!known.includes(bits) || layout.photometric === 'ycbcr') {
    throw unsupported(`TIFF files of ${bits}-bit samples with predictor ${predictor}`);
  }
  const rowBytes = (chunkWidth * step * bits) / 8;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  for (let row = 0; row < data.length; row += rowBytes) {
    const end = row + rowBytes;
    if (predictor === 3) {
      unpredictFloats(data.subarray(row, end), littleEndian);
    } else if (bits === 8) {
      for (let i = row + step; i < end; i++) data[i] = data[i]! + data[i - step]!;
    } else if (bits === 16) {
      for (let i = row + 2 * step; i < end; i += 2) {
        const value = view.getUint16(i, littleEndian) + view.getUint16(i - 2 * step, littleEndian);
        view.setUint16(i, value & 0xffff, littleEndian);
      }
    } else {
      for (let i = row + 4 * step; i < end; i += 4) {
        const value = view.getUint32(i, littleEndian) + view.getUint32(i - 4 * step, littleEndian);
        view.setUint32(i, value >>> 0, littleEndian);
      }
    }
  }
  return data;
}

/** Differences of bytes, of which all the highest come first, then all the second, and so on. */
function unpredictFloats(row: Uint8Array, littleEndian: boolean): void {
  for (let i = 1; i < row.length; i++) row[i] = row[i]! + row[i - 1]!;
  const planes = Uint8Array.from(row);
  const count = row.length / 4;
  for (let i = 0; i < count; i++) {
    for (let b = 0; b < 4; b++) row[4 * i + (littleEndian ? 3 - b : b)] = planes[b * count + i]!;
  }
}
