/** Writes TIFF files by hand: any tags, any pixels, whether they fit together or not. */

export interface TiffPicture {
  /** Tag to values; all are written as long integers, two of them for a fraction. */
  tags: Record<number, readonly number[]>;
  /** Tag to the number of its type, where that is not a long integer: 5 (a fraction), 9 (signed). */
  types?: Record<number, 5 | 9>;
  /** Strips or tiles. Their places are written into the tags, which are added. */
  chunks: readonly Uint8Array[];
  tiled?: boolean;
  littleEndian?: boolean;
  /** Directories that tag 330 points to. */
  below?: readonly Record<number, readonly number[]>[];
  /** Where pixels begin: behind the header by default, which puts them at 8. */
  offsets?: readonly number[];
}

export function writeTiff(picture: TiffPicture): Buffer {
  const { chunks, tiled = false, littleEndian = true, below = [], types = {} } = picture;
  const parts: Uint8Array[] = [Buffer.alloc(8)];
  let at = 8;
  const put = (part: Uint8Array) => {
    const place = at;
    const padded = part.length % 2 === 0 ? part : Buffer.concat([part, Buffer.alloc(1)]);
    parts.push(padded);
    at += padded.length;
    return place;
  };
  const short = (value: number) => {
    const out = Buffer.alloc(2);
    return littleEndian ? (out.writeUInt16LE(value), out) : (out.writeUInt16BE(value), out);
  };
  const long = (value: number) => {
    const out = Buffer.alloc(4);
    return littleEndian ? (out.writeUInt32LE(value), out) : (out.writeUInt32BE(value), out);
  };
  const directory = (tags: Record<number, readonly number[]>) => {
    const entries = Object.entries(tags).map(([tag, values]) => {
      const field = values.length === 1 ? long(values[0]!) : long(put(Buffer.concat(values.map(long))));
      const type = types[Number(tag)] ?? 4;
      const count = type === 5 ? values.length / 2 : values.length;
      return Buffer.concat([short(Number(tag)), short(type), long(count), field]);
    });
    return put(Buffer.concat([short(entries.length), ...entries, long(0)]));
  };
  const offsets = picture.offsets ?? chunks.map(put);
  if (picture.offsets !== undefined) chunks.forEach(put);
  const tags = { ...picture.tags };
  if (below.length > 0) tags[330] = below.map(directory);
  tags[tiled ? 324 : 273] = offsets;
  tags[tiled ? 325 : 279] ??= chunks.map((chunk) => chunk.length);
  const first = directory(tags);
  const head = Buffer.concat([Buffer.from(littleEndian ? 'II' : 'MM'), short(42), long(first)]);
  head.copy(parts[0] as Buffer);
  return Buffer.concat(parts);
}
