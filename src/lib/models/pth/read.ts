/** Reads the tensors of a `.pth` file (a zip archive since PyTorch 1.6, a stream of pickles before), and nothing else. */
import { readPickle } from './pickle.ts';
import { malformed } from './refuse.ts';
import { bytesPerElement, tensorsOf, type Tensor } from './tensors.ts';
import { isKind, type StorageReference, type Value } from './values.ts';
import { isZip, openZip } from './zip.ts';

export type { Tensor } from './tensors.ts';

/** Larger files are not read, in bytes: SqueezeNet 1.1 has 5 MB. */
export const maxPthBytes = 64 * 2 ** 20;

/** The first thing in a stream, by which torch.save marked it. */
const legacyMagic = 0x1950a86a20f9469cfc6cn;

export function isPth(bytes: Uint8Array): boolean {
  return isZip(bytes) || (bytes[0] === 0x80 && bytes[1] === 2);
}

/**
 * The state dict by name. Runs nothing, whatever the file says. Throws a VisionscaleError: `model_unsafe` for what is
 * more than plain float or half tensors, `model_invalid` for what is damaged.
 */
export function readPth(bytes: Uint8Array): Map<string, Tensor> {
  if (bytes.length > maxPthBytes)
    throw malformed(`it has ${bytes.length} bytes; the limit is ${maxPthBytes}`);
  if (isZip(bytes)) return readArchive(bytes);
  if (isPth(bytes)) return readStream(bytes);
  throw malformed('it is neither a zip archive nor a pickle');
}

function readArchive(bytes: Uint8Array): Map<string, Tensor> {
  const archive = openZip(bytes);
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
  const { value } = readPickle(archive.read(pickles[0]!));
  const storages = new Map<string, Uint8Array>();
  return tensorsOf(value, ({ key }) => {
    const found = storages.get(key) ?? archive.read(`${root}data/${key}`);
    storages.set(key, found);
    return found;
  });
}

/** Five pickles (a magic number, the protocol, the system, the state dict, the storages' keys), then the storages. */
function readStream(bytes: Uint8Array): Map<string, Tensor> {
  let at = 0;
  const next = (): Value => {
    const { value, end } = readPickle(bytes, at);
    at = end;
    return value;
  };
  const magic = next();
  // A pickle that is no such stream is read all the same, so that the refusal can name what it asks for.
  if (magic !== legacyMagic) throw malformed('it is a pickle, but not one that torch.save has made');
  if (next() !== 1001) throw malformed('it is of another version');
  const system = next();
  if (!isKind(system, 'dict') || system.entries.get('little_endian') !== true) {
    throw malformed('its values are not little-endian');
  }
  const root = next();
  const keys = next();
  if (!isKind(keys, 'list')) throw malformed('it does not name its storages');
  const types = referencedStorages(root);
  const storages = new Map<string, Uint8Array>();
  for (const key of keys.items) {
    const storage = typeof key === 'string' ? types.get(key) : undefined;
    if (storage === undefined) throw malformed('it names a storage that no tensor uses');
    if (storages.has(storage.key)) throw malformed('it names a storage twice');
    const size = storage.count * bytesPerElement[storage.type];
    if (at + 8 + size > bytes.length) throw malformed('it ends in the middle of its values');
    const count = Buffer.from(bytes.subarray(at, at + 8)).readBigInt64LE();
    if (count !== BigInt(storage.count)) {
      throw malformed(`a storage has ${count} values, but ${storage.count} are announced`);
    }
    storages.set(storage.key, bytes.subarray(at + 8, at + 8 + size));
    at += 8 + size;
  }
  return tensorsOf(root, ({ key }) => {
    const found = storages.get(key);
    if (found === undefined) throw malformed('it lacks the values of a storage');
    return found;
  });
}

function referencedStorages(root: Value): Map<string, StorageReference> {
  const found = new Map<string, StorageReference>();
  if (!isKind(root, 'dict')) return found;
  for (const value of root.entries.values()) {
    if (isKind(value, 'tensor')) found.set(value.storage.key, value.storage);
  }
  return found;
}
