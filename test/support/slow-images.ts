/** Images of a few megabytes that are well-formed and take a decoder long: thousands of pictures in one, streams that hold nothing. */
import { crc32 } from 'node:zlib';
import sharp from 'sharp';

/** Bytes of a second of work for zlib, roughly: each 5 of them are 4 blocks. */
const emptyBlocks = Buffer.from([0x02, 0x08, 0x20, 0x80, 0x00]);

/** A zlib stream that yields `length` bytes of `value` behind `junk` bytes of nothing. */
function slowDeflate(length: number, value: number, junk: number): Buffer {
  const data = Buffer.alloc(length, value);
  const stored: Buffer[] = [];
  for (let at = 0; at < length || at === 0; at += 65_535) {
    const part = data.subarray(at, at + 65_535);
    const head = Buffer.alloc(5);
    head[0] = at + 65_535 >= length ? 1 : 0;
    head.writeUInt16LE(part.length, 1);
    head.writeUInt16LE(part.length ^ 0xffff, 3);
    stored.push(head, part);
  }
  const blocks = Buffer.alloc(Math.ceil(junk / emptyBlocks.length) * emptyBlocks.length, emptyBlocks);
  return Buffer.concat([Buffer.from([0x78, 0x9c]), blocks, ...stored, adler32(data)]);
}

/**
 * A TIFF of grey tiles of 16 × 16 pixels, `side` pixels wide and high, each a JPEG of its own: libvips is set up for every one
 * of them, for about a millisecond of work a hundred and fifty bytes.
 */
export async function slowTiff(side: number): Promise<Buffer> {
  const grey = { width: 16, height: 16, channels: 3, background: '#777' } as const;
  const tile = await sharp({ create: grey }).toColourspace('b-w').jpeg().toBuffer();
  const count = (side / 16) ** 2;
  const tables = 8 + count * even(tile.length);
  const directory = tables + 8 * count;
  const file = Buffer.alloc(directory + 2 + 12 * 11 + 4);
  file.write('II');
  file.writeUInt16LE(42, 2);
  file.writeUInt32LE(directory, 4);
  for (let i = 0; i < count; i++) {
    const at = 8 + i * even(tile.length);
    tile.copy(file, at);
    file.writeUInt32LE(at, tables + 4 * i);
    file.writeUInt32LE(tile.length, tables + 4 * (count + i));
  }
  const [short, long] = [3, 4];
  const entries = [
    [256, long, 1, side],
    [257, long, 1, side],
    [258, short, 1, 8],
    [259, short, 1, 7],
    [262, short, 1, 1],
    [277, short, 1, 1],
    [322, long, 1, 16],
    [323, long, 1, 16],
    [324, long, count, tables],
    [325, long, count, tables + 4 * count],
  ] as const;
  file.writeUInt16LE(entries.length, directory);
  entries.forEach(([tag, type, number, value], i) => {
    const entry = directory + 2 + 12 * i;
    file.writeUInt16LE(tag, entry);
    file.writeUInt16LE(type, entry + 2);
    file.writeUInt32LE(number, entry + 4);
    if (type === short) file.writeUInt16LE(value, entry + 8);
    else file.writeUInt32LE(value, entry + 8);
  });
  return file;
}

/** One grey pixel behind `junk` bytes of nothing. */
export function slowPng(junk: number): Buffer {
  const header = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', slowDeflate(2, 0, junk)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

function adler32(data: Buffer): Buffer {
  let [a, b] = [1, 0];
  for (const value of data) {
    a = (a + value) % 65_521;
    b = (b + a) % 65_521;
  }
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(((b << 16) | a) >>> 0);
  return sum;
}

function even(length: number): number {
  return length + (length % 2);
}
