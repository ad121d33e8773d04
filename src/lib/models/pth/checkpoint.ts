/** Finds the weights in what people save (a state dict, or a checkpoint with one among other things), and their float32 values. */
import { malformed, wholeModel, isKind, type Dict, type TensorReference, type Value, type StorageReference, type StorageType } from './values.ts';

/** What trainers call it, the plainest first. */
const usualNames = [
  ...['state_dict', 'model_state_dict', 'model_state', 'model', 'net', 'network', 'module', 'weights', 'params'],
  ...['state', 'net_state_dict', 'network_state_dict', 'ema', 'model_ema', 'state_dict_ema', 'ema_state_dict'],
];
/** What wrappers put before every name: DataParallel, torch.compile, a module that holds the network. */
const wrapper = /^(module|_orig_mod|_module|model|net|network|backbone)\./;
const notWeights = /optim|sched|scaler|amp|loss|metric|queue|rng/i;
const maxDepth = 3;

/** By the names that the network itself gives them. `layer` is named where the file holds a whole model. */
export function weightsIn(root: Value, layer: string | undefined): Map<string, TensorReference> {
  if (!isKind(root, 'dict')) throw layer === undefined ? malformed('it is not a state dict') : wholeModel(layer);
  const chosen = choose(root, layer);
  let names = [...chosen.keys()];
  for (;;) {
    const prefix = wrapper.exec(names[0] ?? '')?.[0];
    if (prefix === undefined || !names.every((name) => name.startsWith(prefix))) break;
    names = names.map((name) => name.slice(prefix.length));
  }
  const values = [...chosen.values()];
  return new Map(names.map((name, i) => [name, values[i]!]));
}

function choose(root: Dict, layer: string | undefined): Map<string, TensorReference> {
  const own = weightsOf(root);
  if (own.size > 0) return own;
  const found = nested(root, []);
  for (const name of usualNames) {
    const usual = found.find(({ path }) => path.at(-1) === name);
    if (usual !== undefined) return usual.weights;
  }
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only.weights;
  if (layer !== undefined) throw wholeModel(layer);
  if (only === undefined) throw nothing(root);
  const places = found.map(({ path }) => path.map((key) => `[${JSON.stringify(key)}]`).join(''));
  throw malformed(
    `it is a checkpoint with several state dicts: ${places.slice(0, 10).join(', ')}`,
    `Save the one that is meant: torch.save(torch.load("checkpoint.pth")${places[0]!}, "weights.pth")`,
  );
}

/** Counters (of batches, of averaged models) are no weights, nor is what stands beside them. */
function weightsOf({ entries }: Dict): Map<string, TensorReference> {
  const found = new Map<string, TensorReference>();
  for (const [name, value] of entries) {
    if (!isKind(value, 'tensor')) continue;
    const isCounter = value.dims.length === 0 && /^u?int|^bool/.test(value.storage.type);
    if (!isCounter) found.set(name, value);
  }
  // A single number beside other things is a measure, such as the best accuracy.
  const isMeasure = found.size < entries.size && [...found.values()].every(({ dims }) => dims.length === 0);
  return isMeasure ? new Map<string, TensorReference>() : found;
}

/** Each dict once: a pickle may hold one in itself. */
function nested(dict: Dict, path: string[], seen = new Set([dict])): { path: string[]; weights: Map<string, TensorReference> }[] {
  if (path.length >= maxDepth) return [];
  return [...dict.entries].flatMap(([key, value]) => {
    if (!isKind(value, 'dict') || notWeights.test(key) || seen.has(value)) return [];
    seen.add(value);
    const here = [...path, key];
    const weights = weightsOf(value);
    return weights.size > 0 ? [{ path: here, weights }] : nested(value, here, seen);
  });
}

function nothing({ entries, otherKeys }: Dict) {
  const hint =
    'A checkpoint must hold the weights as a dict of tensors. Save them alone:\n' +
    'torch.save(checkpoint["state_dict"], "weights.pth"), or torch.save(model.state_dict(), "weights.pth")';
  const [first] = entries.keys();
  if (first !== undefined) return malformed(`its entry ${first} is not a tensor, nor is any other`, hint);
  return malformed(otherKeys ? 'its pickle has a key that is not text' : 'it holds no tensors', hint);
}

// Turns a state dict of references into tensors of float32 values.

/** Row-major values. */
export interface PthTensor {
  dims: number[];
  data: Float32Array;
}

/** In all tensors together: 128 MiB of values. SqueezeNet 1.1 has 1.2 million. */
const maxElements = 2 ** 25;

export const bytesPerElement: Record<StorageType, number> = {
  float32: 4,
  float16: 2,
  bfloat16: 2,
  float64: 8,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
  other: NaN,
};

/** How the value at a byte is read; weights are no integers. */
const readers: Partial<Record<StorageType, (view: DataView, at: number) => number>> = {
  float32: (view, at) => view.getFloat32(at, true),
  float16: (view, at) => halfToFloat(view.getUint16(at, true)),
  bfloat16: (view, at) => upperHalf(view.getUint16(at, true)),
  float64: (view, at) => view.getFloat64(at, true),
};

/** `storageBytes` must return exactly the bytes of the storage, little-endian. */
export function tensorsOf(
  weights: ReadonlyMap<string, TensorReference>,
  storageBytes: (storage: StorageReference) => Uint8Array,
): Map<string, PthTensor> {
  const tensors = new Map<string, PthTensor>();
  let elements = 0;
  for (const [name, value] of weights) {
    elements += value.dims.reduce((product, dim) => product * dim, 1);
    if (elements > maxElements) throw malformed(`its tensors have more than ${maxElements} values`);
    const { type } = value.storage;
    const read = readers[type];
    if (read === undefined) {
      throw malformed(
        `its tensor ${name} is not floating-point (${type === 'other' ? 'complex or quantised' : type})`,
        'Weights are floats: save those of the network before it was quantised.',
      );
    }
    tensors.set(name, { dims: [...value.dims], data: gather(value, storageBytes(value.storage), read) });
  }
  return tensors;
}

function gather(
  { storage, offset, dims, strides }: TensorReference,
  bytes: Uint8Array,
  read: (view: DataView, at: number) => number,
): Float32Array {
  const size = bytesPerElement[storage.type];
  if (bytes.length !== storage.count * size) {
    throw malformed(`a storage has ${bytes.length} bytes, but ${storage.count} values are announced`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
  const index = dims.map(() => 0);
  for (let i = 0, from = offset; i < data.length; i++) {
    data[i] = read(view, size * from);
    // Like an odometer: the last dimension turns fastest.
    for (let d = dims.length - 1; d >= 0; d--) {
      from += strides[d]!;
      if (++index[d]! < dims[d]!) break;
      from -= strides[d]! * dims[d]!;
      index[d] = 0;
    }
  }
  return data;
}

/** IEEE 754 binary16. */
function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(half >> 10) & 0x1f, half & 0x3ff];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const scratch = new DataView(new ArrayBuffer(4));

/** bfloat16: a float32 without its lower half. */
function upperHalf(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}
