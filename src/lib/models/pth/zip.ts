/** Reads a zip archive whose entries are stored, not compressed, as torch.save makes it: nothing can expand in it. */
import { crc32 } from 'node:zlib';
import { malformed } from './refuse.ts';

const localHeader = 0x04034b50;
const centralHeader = 0x02014b50;
const endRecord = 0x06054b50;
const maxEntries = 4096;

export interface ZipArchive {
  names: readonly string[];
  /** The entry's bytes, its checksum verified. Throws `model_invalid` where there is none of that name. */
  read(name: string): Uint8Array;
}

interface Entry {
  header: number;
  /** As it is, neither compressed nor encrypted. */
  stored: boolean;
  size: number;
  crc: number;
}

export function isZip(bytes: Uint8Array): boolean {
  return bytes.length > 4 && bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

/** Throws `model_invalid`. Below 4 GiB everything is in the plain fields, also where zip64 records join them. */
export function openZip(bytes: Uint8Array): ZipArchive {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = new Map<string, Entry>();
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  if (count > maxEntries) throw malformed(`its archive has ${count} entries`);
  let [at, total] = [view.getUint32(end + 16, true), 0];
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== centralHeader)
      throw malformed('its archive has no directory');
    const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
    const [packed, size] = [view.getUint32(at + 20, true), view.getUint32(at + 24, true)];
    const [nameLength, extra] = [view.getUint16(at + 28, true), view.getUint16(at + 30, true)];
    const stored = (flags & 1) === 0 && method === 0 && packed === size;
    total += packed;
    if (total > bytes.length) throw malformed('its archive holds more than the file has');
    const name = Buffer.from(bytes.subarray(at + 46, at + 46 + nameLength)).toString('utf8');
    if (entries.has(name)) throw malformed('its archive has two entries of one name');
    entries.set(name, { stored, header: view.getUint32(at + 42, true), size, crc: view.getUint32(at + 16, true) });
    at += 46 + nameLength + extra + view.getUint16(at + 32, true);
  }
  return {
    names: [...entries.keys()],
    read(name) {
      const entry = entries.get(name);
      if (entry === undefined) throw malformed(`its archive lacks ${name}`);
      if (!entry.stored) {
        throw malformed('its archive is compressed or encrypted; torch.save stores entries as they are');
      }
      const content = contentOf(bytes, view, entry);
      if (crc32(content) !== entry.crc) throw malformed('its archive is damaged (a checksum is wrong)');
      return content;
    },
  };
}

/** The record at the end of the file, before a comment of at most 64 KiB. */
function findEnd(view: DataView): number {
  const lowest = Math.max(0, view.byteLength - 22 - 0xffff);
  for (let at = view.byteLength - 22; at >= lowest; at--) {
    if (view.getUint32(at, true) === endRecord) return at;
  }
  throw malformed('its archive has no end');
}

function contentOf(bytes: Uint8Array, view: DataView, { header, size }: Entry): Uint8Array {
  if (header + 30 > bytes.length || view.getUint32(header, true) !== localHeader) {
    throw malformed('its archive points to where no entry is');
  }
  const from = header + 30 + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
  if (from + size > bytes.length) throw malformed('its archive ends in the middle of an entry');
  return bytes.subarray(from, from + size);
}
