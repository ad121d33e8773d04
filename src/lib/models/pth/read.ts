/** Reads the tensors of a `.pth` file (a zip archive since PyTorch 1.6, a stream of pickles before), and nothing else. */
import { weightsIn } from './checkpoint.ts';
import { readPickle } from './pickle.ts';
import { exportLine, malformed, stateDictLine } from './refuse.ts';
import { bytesPerElement, tensorsOf, type Tensor } from './tensors.ts';
import { isKind } from './values.ts';
import { isZip, openZip, type ZipArchive } from './zip.ts';

export type { Tensor } from './tensors.ts';

/** Larger files are not read, in bytes: SqueezeNet 1.1 has 5 MB. */
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
export function readPth(bytes: Uint8Array): Map<string, Tensor> {
  if (bytes.length > maxPthBytes)
    throw malformed(
      `it has ${bytes.length} bytes; the limit is ${maxPthBytes}`,
      `Of .pth files only squeezenet1_1’s (5 MB) are read. Export another network: ${exportLine}`,
    );
  if (isZip(bytes)) return readArchive(bytes);
  if (isPth(bytes) && bytes[1] === 2) return readStream(bytes);
  throw malformed('it is neither a zip archive nor a pickle of protocol 2, which are what torch.save writes');
}

function readArchive(bytes: Uint8Array): Map<string, Tensor> {
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
function readStream(bytes: Uint8Array): Map<string, Tensor> {
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
