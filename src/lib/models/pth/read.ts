/** Reads the tensors of a `.pth` file (a zip archive since PyTorch 1.6, a stream of pickles before), or makes an ONNX file of them. */
import { crc32 } from 'node:zlib';
import { serializeOnnx } from '../onnx/onnx.ts';
import { squeezeNet10, weightDims } from '../onnx/squeezenet-layout.ts';
import { buildSqueezeNet10, buildSqueezeNet11 } from '../onnx/squeezenet.ts';
import { weightsIn, bytesPerElement, tensorsOf, type PthTensor } from './checkpoint.ts';
import { readPickle } from './pickle.ts';
import { exportLine, malformed, stateDictLine, isKind } from './values.ts';

export type { PthTensor } from './checkpoint.ts';

/** Larger files are not read, in bytes: SqueezeNet has 5 MB. */
export const maxPthBytes = 64 * 2 ** 20;

/** The first thing in a stream, by which torch.save marked it. */
const legacyMagic = 0x1950a86a20f9469cfc6cn;

export function isPth(bytes: Uint8Array): boolean {
  return isZip(bytes) || (bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5);
}

/**
 * The weights by name, also those of a checkpoint. Runs nothing, whatever the file says. Throws a VisionscaleError:
 * `model_unsafe` for what could run, `model_invalid` for what is damaged or not the weights of a network.
 */
export function readPth(bytes: Uint8Array): Map<string, PthTensor> {
  if (bytes.length > maxPthBytes)
    throw malformed(
      `it has ${bytes.length} bytes; the limit is ${maxPthBytes}`,
      `Of .pth files only those of squeezenet1_1 and squeezenet1_0 (5 MB) are read. Export another network: ${exportLine}`,
    );
  if (isZip(bytes)) return readArchive(bytes);
  if (isPth(bytes) && bytes[1] === 2) return readStream(bytes);
  throw malformed('it is neither a zip archive nor a pickle of protocol 2, which are what torch.save writes');
}

function readArchive(bytes: Uint8Array): Map<string, PthTensor> {
  const archive = openZip(bytes);
  refuseProgram(archive);
  const pickles = archive.names.filter((name) => name === 'data.pkl' || name.endsWith('/data.pkl'));
  if (pickles.length !== 1) throw malformed(`its archive has ${pickles.length} entries data.pkl`);
  const root = pickles[0]!.slice(0, -'data.pkl'.length);
  const order = `${root}byteorder`;
  if (
    archive.names.includes(order) &&
    Buffer.from(archive.read(order)).toString('latin1').trim() !== 'little'
  ) {
    throw malformed('its values are not little-endian');
  }
  const { value, layer } = readPickle(archive.read(pickles[0]!));
  const storages = new Map<string, Uint8Array>();
  return tensorsOf(weightsIn(value, layer), ({ key }) => {
    const found = storages.get(key) ?? archive.read(`${root}data/${key}`);
    storages.set(key, found);
    return found;
  });
}

/** Programs that PyTorch has compiled come as archives too. */
function refuseProgram({ names }: ZipArchive): void {
  const isScript = names.some((name) => /(^|\/)(constants\.pkl|code\/)/.test(name));
  const isExported = names.some((name) => /(^|\/)(serialized_exported_program\.json|archive_format)$/.test(name));
  if (!isScript && !isExported) return;
  const [what, load] = isScript
    ? ['a TorchScript archive (torch.jit.save)', 'model = torch.jit.load("model.pt")']
    : ['an archive of torch.export', 'model = torch.export.load("model.pt2").module()'];
  throw malformed(
    `it is ${what}, a program with its weights`,
    `Take the weights out of it: ${load}; ${stateDictLine}\n` +
      `(of a squeezenet1_1), or export the network: ${exportLine}`,
  );
}

/** Five pickles (a magic number, the protocol, the system, the state dict, the storages' keys), then the storages. */
function readStream(bytes: Uint8Array): Map<string, PthTensor> {
  let at = 0;
  const pickled = () => {
    const read = readPickle(bytes, at);
    at = read.end;
    return read;
  };
  const next = () => pickled().value;
  const magic = next();
  // A pickle that is no such stream is read all the same, so that the refusal can name what it asks for.
  if (magic !== legacyMagic) throw malformed('it is a pickle, but not one that torch.save has made');
  if (next() !== 1001) throw malformed('it is of another version');
  const system = next();
  if (!isKind(system, 'dict') || system.entries.get('little_endian') !== true) {
    throw malformed('its values are not little-endian');
  }
  const { value: root, storages: types, layer } = pickled();
  const keys = next();
  if (!isKind(keys, 'list')) throw malformed('it does not name its storages');
  const storages = new Map<string, Uint8Array>();
  for (const key of keys.items) {
    const storage = typeof key === 'string' ? types.get(key) : undefined;
    if (storage === undefined) throw malformed('it names a storage that no tensor uses');
    if (storages.has(storage.key)) throw malformed('it names a storage twice');
    const size = storage.count * bytesPerElement[storage.type];
    if (Number.isNaN(size)) throw malformed('a storage has values of a type that is not read');
    if (at + 8 + size > bytes.length) throw malformed('it ends in the middle of its values');
    const count = Buffer.from(bytes.subarray(at, at + 8)).readBigInt64LE();
    if (count !== BigInt(storage.count)) {
      throw malformed(`a storage has ${count} values, but ${storage.count} are announced`);
    }
    storages.set(storage.key, bytes.subarray(at + 8, at + 8 + size));
    at += 8 + size;
  }
  return tensorsOf(weightsIn(root, layer), ({ key }) => {
    const found = storages.get(key);
    if (found === undefined) throw malformed('it lacks the values of a storage');
    return found;
  });
}

const localHeader = 0x04034b50;
const centralHeader = 0x02014b50;
const endRecord = 0x06054b50;
const maxEntries = 4096;

/** Reads a zip archive whose entries are stored, not compressed, as torch.save makes it: nothing can expand in it. */
interface ZipArchive {
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

function isZip(bytes: Uint8Array): boolean {
  return bytes.length > 4 && bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

/** Throws `model_invalid`. Below 4 GiB everything is in the plain fields, also where zip64 records join them. */
function openZip(bytes: Uint8Array): ZipArchive {
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

/** The graph of SqueezeNet 1.1 or 1.0. Runs nothing of the file. Throws a VisionscaleError: `model_unsafe`, `model_invalid`. */
export function pthToOnnx(bytes: Uint8Array): Uint8Array {
  const weights = readPth(bytes);
  if (!weights.has('features.0.weight')) {
    const names = [...weights.keys()];
    const shown = `${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`;
    throw malformed(
      `it holds the weights of another network (${names.length} tensors: ${shown})`,
      `Only those of torchvision’s squeezenet1_1 and squeezenet1_0 are read. Export another network: ${exportLine}`,
    );
  }
  const begins = weights.get('features.0.weight')!.dims.join();
  const build = begins === weightDims(squeezeNet10.stem).join() ? buildSqueezeNet10 : buildSqueezeNet11;
  return serializeOnnx(build(weights));
}
