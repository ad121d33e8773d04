/** A directory of a TIFF file (classic or BigTIFF, either byte order): its tags, read within hard bounds. */
import { corrupt, truncated } from '../../failures.ts';

/** Bytes of a value by the number of its type; types that no picture needs are left out. */
const sizes = new Map([
  [1, 1], // byte
  [2, 1], // text
  [3, 2], // short
  [4, 4], // long
  [5, 8], // two longs, a fraction
  [6, 1],
  [7, 1],
  [8, 2],
  [9, 4],
  [10, 8],
  [11, 4],
  [12, 8],
  [13, 4], // where another directory is
  [16, 8],
  [17, 8],
  [18, 8],
]);
/** More entries than any writer makes, and few enough to read in no time. */
const maxEntries = 4096;

interface Entry {
  type: number;
  count: number;
  at: number;
}

export interface TiffFile {
  view: DataView;
  littleEndian: boolean;
  big: boolean;
  /** Where the first directory is. */
  first: number;
}

/** What the first bytes say; undefined where they are not those of a TIFF file. */
export function openTiff(bytes: Uint8Array): TiffFile | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 8) return undefined;
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return undefined;
  const littleEndian = order === 0x4949;
  const version = view.getUint16(2, littleEndian);
  if (version === 42) return { view, littleEndian, big: false, first: view.getUint32(4, littleEndian) };
  if (version !== 43 || bytes.length < 16 || view.getUint16(4, littleEndian) !== 8) return undefined;
  return { view, littleEndian, big: true, first: Number(view.getBigUint64(8, littleEndian)) };
}

export class TiffDirectory {
  readonly #file: TiffFile;
  readonly #entries = new Map<number, Entry>();

  /** Throws an ImageError where the directory itself is not in the file. */
  constructor(file: TiffFile, at: number) {
    this.#file = file;
    const { view, littleEndian, big } = file;
    const head = big ? 8 : 2;
    if (at + head > view.byteLength) throw truncated('tiff');
    const count = big ? Number(view.getBigUint64(at, littleEndian)) : view.getUint16(at, littleEndian);
    if (count > maxEntries) throw corrupt('tiff', `a directory of ${count} entries`);
    const step = big ? 20 : 12;
    if (at + head + count * step > view.byteLength) throw truncated('tiff');
    for (let i = 0, entry = at + head; i < count; i++, entry += step) {
      const type = view.getUint16(entry + 2, littleEndian);
      const values = big
        ? Number(view.getBigUint64(entry + 4, littleEndian))
        : view.getUint32(entry + 4, littleEndian);
      const field = entry + (big ? 12 : 8);
      const size = sizes.get(type);
      if (size === undefined) continue;
      const inside = values * size <= (big ? 8 : 4);
      const place = inside
        ? field
        : big
          ? Number(view.getBigUint64(field, littleEndian))
          : view.getUint32(field, littleEndian);
      this.#entries.set(view.getUint16(entry, littleEndian), { type, count: values, at: place });
    }
  }

  has(tag: number): boolean {
    return this.#entries.has(tag);
  }

  /** Up to `most` values of a tag; undefined where there is none. Throws `truncated` where they are not in the file. */
  numbers(tag: number, most = 32): Float64Array | undefined {
    const entry = this.#entries.get(tag);
    if (entry === undefined || entry.count === 0) return undefined;
    const size = sizes.get(entry.type)!;
    const count = Math.min(entry.count, most);
    if (entry.at + count * size > this.#file.view.byteLength) throw truncated('tiff');
    const values = new Float64Array(count);
    for (let i = 0; i < count; i++) values[i] = this.#value(entry.type, entry.at + i * size);
    return values;
  }

  /** The first value of a tag. */
  number(tag: number): number | undefined {
    return this.numbers(tag, 1)?.[0];
  }

  /** The first `most` characters of a tag; empty where it is missing or lies outside the file. */
  text(tag: number, most = 64): string {
    const entry = this.#entries.get(tag);
    if (entry === undefined || entry.at >= this.#file.view.byteLength) return '';
    const { view } = this.#file;
    const length = Math.min(entry.count, most, view.byteLength - entry.at);
    const bytes = Buffer.from(view.buffer, view.byteOffset + entry.at, length);
    return bytes.toString('latin1').replace(/\0.*/s, '');
  }

  /** The bytes of a tag as they are in the file. */
  bytes(tag: number): Uint8Array | undefined {
    const entry = this.#entries.get(tag);
    if (entry === undefined) return undefined;
    const { view } = this.#file;
    const length = entry.count * sizes.get(entry.type)!;
    if (entry.at + length > view.byteLength) throw truncated('tiff');
    return new Uint8Array(view.buffer, view.byteOffset + entry.at, length);
  }

  #value(type: number, at: number): number {
    const { view, littleEndian } = this.#file;
    switch (type) {
      case 3:
        return view.getUint16(at, littleEndian);
      case 4:
      case 13:
        return view.getUint32(at, littleEndian);
      case 5:
        return view.getUint32(at, littleEndian) / view.getUint32(at + 4, littleEndian);
      case 6:
        return view.getInt8(at);
      case 8:
        return view.getInt16(at, littleEndian);
      case 9:
        return view.getInt32(at, littleEndian);
      case 10:
        return view.getInt32(at, littleEndian) / view.getInt32(at + 4, littleEndian);
      case 11:
        return view.getFloat32(at, littleEndian);
      case 12:
        return view.getFloat64(at, littleEndian);
      case 16:
      case 18:
        return Number(view.getBigUint64(at, littleEndian));
      case 17:
        return Number(view.getBigInt64(at, littleEndian));
      default:
        return view.getUint8(at);
    }
  }
}
